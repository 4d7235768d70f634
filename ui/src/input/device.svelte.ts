/** The kinds of things that people steer with. */
export type Device = 'pointer' | 'touch' | 'keyboard' | 'gamepad';

/** The one used last: hints show its glyphs. */
export const device = $state<{ last: Device }>({ last: 'pointer' });
