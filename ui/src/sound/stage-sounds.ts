// Sounds of the focus and of the buttons, for everything within the stage.
import { playSound } from './sound-player';

/** Milliseconds after a press in which the focus moves because of it. */
const MOVE_MS = 120;
let directionPressedAt = Number.NEGATIVE_INFINITY;

/** Notes that a key or a direction of a gamepad was pressed, which may move the focus. */
export function recordDirectionPress(): void {
  directionPressedAt = performance.now();
}

/** Plays a sound when a press moves the focus and when a button is pressed, until the returned function is called. */
export function playFocusAndButtonSounds(stage: HTMLElement): () => void {
  const focused = () => {
    if (performance.now() - directionPressedAt < MOVE_MS) playSound('focus');
  };
  const clicked = (event: Event) => {
    const button = (event.target as Element).closest('button');
    if (button) playSound(button.matches('[data-back]:not(.primary)') ? 'back' : 'confirm');
  };
  const arrow = (event: KeyboardEvent) => {
    if (event.key.startsWith('Arrow') || event.key === 'Tab') recordDirectionPress();
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
