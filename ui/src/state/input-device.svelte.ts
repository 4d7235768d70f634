import type { GamepadKind } from '../input/gamepad';

/** The kinds of input devices. */
export type InputDevice = 'pointer' | 'touch' | 'keyboard' | 'gamepad';

/**
 * The device used last, and the kind of gamepad: the key hints show its symbols. `hasKeyboard`: whether a key was ever
 * pressed on a real keyboard.
 */
export const inputDevice = $state<{ last: InputDevice; pad: GamepadKind; hasKeyboard: boolean }>({
  last: 'pointer',
  pad: 'xbox',
  hasKeyboard: false,
});

/** Notes that a keyboard is used. Keys that the page makes from presses on a gamepad do not count. */
export function recordKeyboardInput(event: KeyboardEvent): void {
  if (!event.isTrusted) return;
  inputDevice.last = 'keyboard';
  inputDevice.hasKeyboard = true;
}

/** Whether text is to be entered by an on-screen keyboard, by the last input device. */
export function needsOnScreenKeyboard(): boolean {
  const { last, hasKeyboard } = inputDevice;
  return last === 'touch' || last === 'gamepad' || (last === 'pointer' && !hasKeyboard);
}
