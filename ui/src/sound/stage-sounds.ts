// Sounds of the focus and of the buttons, for everything within the stage.
import { inputDevice } from '../state/input-device.svelte';
import { playSound } from './sound-player';

/** Milliseconds after a key or a button of a gamepad in which the focus moves because of it. */
const MOVE_MS = 120;

/** Plays a sound when a press moves the focus and when a button is pressed, until the returned function is called. */
export function soundFocusAndButtons(stage: HTMLElement): () => void {
  let pressedAt = Number.NEGATIVE_INFINITY;
  const pressed = () => {
    pressedAt = performance.now();
  };
  const focused = () => {
    const moves = inputDevice.last === 'gamepad' || performance.now() - pressedAt < MOVE_MS;
    if (moves) playSound('focus');
  };
  const clicked = (event: Event) => {
    const button = (event.target as Element).closest('button');
    if (button) playSound(button.matches('[data-back]:not(.primary)') ? 'back' : 'confirm');
  };
  const arrow = (event: KeyboardEvent) => {
    if (event.key.startsWith('Arrow') || event.key === 'Tab') pressed();
  };
  stage.addEventListener('focusin', focused);
  stage.addEventListener('click', clicked, true);
  window.addEventListener('keydown', arrow, true);
  return () => {
    stage.removeEventListener('focusin', focused);
    stage.removeEventListener('click', clicked, true);
    window.removeEventListener('keydown', arrow, true);
  };
}
