// A gamepad as intents: pure reading, and one small loop that asks the browser.
import type { Direction } from './spatial-focus';

/** What a person means by a button. `other` is any button without a meaning of its own; `desk` the operator's way in. */
export type Intent = 'confirm' | 'back' | 'language' | 'other' | 'desk' | Direction;

/** Whose buttons it has: they bear other signs, and on Nintendo's the right one confirms, not the lower. */
export type PadKind = 'xbox' | 'playstation' | 'nintendo';

/** The part of a `Gamepad` that is read. */
export interface Pad {
  id?: string;
  buttons: readonly { pressed: boolean }[];
  axes: readonly number[];
}

const MEANING: Record<number, Intent> = {
  0: 'confirm',
  1: 'back',
  3: 'language',
  9: 'confirm',
  12: 'up',
  13: 'down',
  14: 'left',
  15: 'right',
};
const SELECT = 8;
const START = 9;
/** Milliseconds that Start and Select are held together to ask for the desk. */
const HELD = 1000;
const TILTED = 0.6;
const DEAD = 0.18;
/** How much farther or less far a stick is pushed than it was, for a hand to be at it: one that is worn or lain upon rests anywhere. */
const STIRRED = 0.15;

/** Whose gamepad it is, from the name that the browser gives it. */
export function kindOf(id: string): PadKind {
  if (/054c|dualsense|dualshock|playstation|sony/i.test(id)) return 'playstation';
  if (/057e|nintendo|switch|joy-con/i.test(id)) return 'nintendo';
  return 'xbox';
}

/**
 * What has been pressed since `before`: each press tells once, however long it is held. Start and Select are
 * [`Chord`]'s.
 */
export function presses(before: Pad | null, now: Pad): Intent[] {
  const intents: Intent[] = [];
  now.buttons.forEach((button, index) => {
    if (index === SELECT || index === START) return;
    if (button.pressed && !before?.buttons[index]?.pressed) intents.push(meaning(index, now.id));
  });
  const was = before ? tilt(before) : null;
  const is = tilt(now);
  if (is && is !== was) intents.push(is);
  return intents;
}

/**
 * Start and Select: each alone means something when it is let go, so that both together, held, begin no visit on the
 * way to the desk.
 */
export class Chord {
  #down: readonly number[] = [];
  #together = false;
  #since = 0;
  #told = false;

  /** What they say at a moment, in milliseconds. */
  look(pad: Pad, at: number): Intent[] {
    const down = [SELECT, START].filter((index) => pad.buttons[index]?.pressed);
    const intents: Intent[] = [];
    if (down.length === 2) {
      if (this.#down.length < 2) this.#since = at;
      this.#together = true;
      if (!this.#told && at - this.#since >= HELD) {
        this.#told = true;
        intents.push('desk');
      }
    } else if (!this.#together && this.#down.length === 1 && down.length === 0) {
      intents.push(meaning(this.#down[0] ?? SELECT));
    }
    if (down.length === 0) {
      this.#together = false;
      this.#told = false;
    }
    this.#down = down;
    return intents;
  }
}

/** How far the right stick is pushed, from -1 to 1 a way. The left one moves the focus. */
export function push(pad: Pad): { x: number; y: number } {
  const live = (axis = 0) => (Math.abs(axis) < DEAD ? 0 : axis);
  return { x: live(pad.axes[2]), y: live(pad.axes[3]) };
}

/** Whether a hand is at the sticks of one gamepad: what counts is that they move, not where they are. */
export class Hand {
  #axes: readonly number[] | null = null;

  /** Whether any has moved since it last did. Where they are at first was seen by nobody. */
  stirs({ axes }: Pad): boolean {
    const before = this.#axes;
    const moved = before === null || axes.some((axis, i) => Math.abs(axis - (before[i] ?? 0)) > STIRRED);
    if (moved) this.#axes = [...axes];
    return moved && before !== null;
  }
}

/**
 * Follows the gamepads until the answer is called: what is pressed, how far the right stick is pushed in every frame, and
 * that a hand moved a stick. Looks rarely while there is none.
 */
export function watchGamepads(
  onIntent: (intent: Intent, kind: PadKind) => void,
  onPush: (x: number, y: number) => void,
  onStir: () => void,
): () => void {
  const last = new Map<number, Pad>();
  const chords = new Map<number, Chord>();
  const hands = new Map<number, Hand>();
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;

  const look = () => {
    if (over) return;
    let seen = false;
    for (const pad of navigator.getGamepads?.() ?? []) {
      if (!pad?.connected) continue;
      seen = true;
      const { id = '' } = pad;
      const now: Pad = { id, buttons: pad.buttons.map(({ pressed }) => ({ pressed })), axes: [...pad.axes] };
      // A button that is held while the pad appears has been pressed to wake it: that counts.
      for (const intent of presses(last.get(pad.index) ?? null, now)) onIntent(intent, kindOf(id));
      const chord = chords.get(pad.index) ?? new Chord();
      chords.set(pad.index, chord);
      for (const intent of chord.look(now, performance.now())) onIntent(intent, kindOf(id));
      last.set(pad.index, now);
      const hand = hands.get(pad.index) ?? new Hand();
      hands.set(pad.index, hand);
      if (hand.stirs(now)) onStir();
      const { x, y } = push(now);
      if (x !== 0 || y !== 0) onPush(x, y);
    }
    if (!seen) {
      last.clear();
      chords.clear();
      hands.clear();
    }
    if (seen && !document.hidden) frame = requestAnimationFrame(look);
    else timer = setTimeout(look, 300);
  };
  look();
  return () => {
    over = true;
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}

function meaning(button: number, id = ''): Intent {
  const swapped = button < 2 && kindOf(id) === 'nintendo' ? 1 - button : button;
  return MEANING[swapped] ?? 'other';
}

function tilt(pad: Pad): Direction | null {
  const [x, y] = [pad.axes[0] ?? 0, pad.axes[1] ?? 0];
  if (Math.max(Math.abs(x), Math.abs(y)) < TILTED) return null;
  if (Math.abs(x) > Math.abs(y)) return x > 0 ? 'right' : 'left';
  return y > 0 ? 'down' : 'up';
}
