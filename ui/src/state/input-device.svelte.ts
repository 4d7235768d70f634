import type { PadKind } from '../input/gamepad';

/** The kinds of things that people steer with. */
export type Device = 'pointer' | 'touch' | 'keyboard' | 'gamepad';

/** The one used last, and whose gamepad it is: hints show its glyphs. */
export const device = $state<{ last: Device; pad: PadKind }>({ last: 'pointer', pad: 'xbox' });
