import type { GamepadKind } from '../input/gamepad';

/** The kinds of input devices. */
export type InputDevice = 'pointer' | 'touch' | 'keyboard' | 'gamepad';

/** The device used last, and the kind of gamepad: the key hints show its symbols. */
export const inputDevice = $state<{ last: InputDevice; pad: GamepadKind }>({ last: 'pointer', pad: 'xbox' });
