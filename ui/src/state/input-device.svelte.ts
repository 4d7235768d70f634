import type { GamepadKind } from '../input/gamepad';

/** The kinds of things that people steer with. */
export type InputDevice = 'pointer' | 'touch' | 'keyboard' | 'gamepad';

/** The one used last, and whose gamepad it is: hints show its glyphs. */
export const inputDevice = $state<{ last: InputDevice; pad: GamepadKind }>({ last: 'pointer', pad: 'xbox' });
