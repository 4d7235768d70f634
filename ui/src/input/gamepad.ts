// Reads gamepads as intents: pure functions, and one loop that polls the browser.
import type { Direction } from './spatial-focus';

/** The meaning of a button. `other` has no meaning of its own; `desk` opens the operator's desk. */
export type GamepadIntent = 'confirm' | 'back' | 'language' | 'other' | 'desk' | Direction;

/** The maker of the gamepad, for its symbols. On Nintendo's, the right button confirms instead of the lower one. */
export type GamepadKind = 'xbox' | 'playstation' | 'nintendo';

/** The part of a `Gamepad` that is read. */
export interface GamepadState {
  id?: string;
  buttons: readonly { pressed: boolean }[];
  axes: readonly number[];
}

const BUTTON_INTENTS: Record<number, GamepadIntent> = {
  0: 'confirm',
  1: 'back',
  3: 'language',
  9: 'confirm',
};
const DIRECTION_BUTTONS: readonly (readonly [button: number, direction: Direction])[] = [
  [12, 'up'],
  [13, 'down'],
  [14, 'left'],
  [15, 'right'],
];
const SELECT_BUTTON = 8;
const START_BUTTON = 9;
/** Milliseconds that Start and Select are held together to open the desk. */
const CHORD_HOLD_MS = 1000;
/** Tilt of the left stick, 0 to 1, from which it counts, and below which it no longer does: a stick trembles. */
const TILT_ON = 0.6;
const TILT_OFF = 0.4;
/** How much further another axis must be tilted to take over: a stick that is rolled is no new press. */
const TILT_MARGIN = 0.2;
/** Milliseconds that a direction is held before it repeats, and between repeats. */
const REPEAT_DELAY_MS = 450;
const REPEAT_MS = 110;
/** Milliseconds after which a held direction no longer repeats: something lies on the gamepad. */
const REPEAT_LIMIT_MS = 10_000;
const DEAD_ZONE = 0.18;
/** Change of a stick's axis that counts as movement. A worn stick, or one that something lies on, rests anywhere. */
const STICK_MOVE_THRESHOLD = 0.15;

/** The kind of a gamepad (its maker), from the id that the browser reports. */
export function gamepadKindFromId(id: string): GamepadKind {
  if (/054c|dualsense|dualshock|playstation|sony/i.test(id)) return 'playstation';
  if (/057e|nintendo|switch|joy-con/i.test(id)) return 'nintendo';
  return 'xbox';
}

/**
 * The intents of the buttons pressed since `before`. A held button counts once. Start and Select are left to
 * `StartSelectInterpreter`, directions to `GamepadDirectionReader`.
 */
export function intentsOfNewlyPressedButtons(
  before: GamepadState | null,
  now: GamepadState,
): GamepadIntent[] {
  const intents: GamepadIntent[] = [];
  now.buttons.forEach((button, index) => {
    if (index === SELECT_BUTTON || index === START_BUTTON) return;
    if (DIRECTION_BUTTONS.some(([one]) => one === index)) return;
    if (button.pressed && !before?.buttons[index]?.pressed) intents.push(intentOfButton(index, now.id));
  });
  return intents;
}

/** Reads the directions of one gamepad, from its D-pad and its left stick. A held direction repeats. */
export class GamepadDirectionReader {
  #held: readonly Direction[] = [];
  #stick: Direction | null = null;
  #repeating: Direction | null = null;
  #since = 0;
  #lastAt = 0;

  /** The directions that count at a time in milliseconds: new ones, and the newest one while it is held. */
  readDirections(pad: GamepadState, at: number): Direction[] {
    this.#stick = leftStickDirection(pad, this.#stick);
    const pressed = DIRECTION_BUTTONS.filter(([button]) => pad.buttons[button]?.pressed).map(([, to]) => to);
    const held = [...new Set(this.#stick ? [...pressed, this.#stick] : pressed)];
    const added = held.filter((one) => !this.#held.includes(one));
    this.#held = held;
    const newest = added.at(-1);
    if (newest) {
      this.#repeating = newest;
      this.#since = at;
      this.#lastAt = at + REPEAT_DELAY_MS - REPEAT_MS;
      return added;
    }
    const to = this.#repeating;
    if (to === null || !held.includes(to)) {
      this.#repeating = null;
      return [];
    }
    if (at - this.#lastAt < REPEAT_MS || at - this.#since > REPEAT_LIMIT_MS) return [];
    this.#lastAt = at;
    return [to];
  }
}

/** Start and Select act when one of them is released alone. Held together they open the desk and do nothing else. */
export class StartSelectInterpreter {
  #pressedButtons: readonly number[] = [];
  #wasTogether = false;
  #togetherSince = 0;
  #isReported = false;

  /** The intents at a time in milliseconds. */
  readChord(pad: GamepadState, at: number): GamepadIntent[] {
    const down = [SELECT_BUTTON, START_BUTTON].filter((index) => pad.buttons[index]?.pressed);
    const intents: GamepadIntent[] = [];
    if (down.length === 2) {
      if (this.#pressedButtons.length < 2) this.#togetherSince = at;
      this.#wasTogether = true;
      if (!this.#isReported && at - this.#togetherSince >= CHORD_HOLD_MS) {
        this.#isReported = true;
        intents.push('desk');
      }
    } else if (!this.#wasTogether && this.#pressedButtons.length === 1 && down.length === 0) {
      intents.push(intentOfButton(this.#pressedButtons[0] ?? SELECT_BUTTON));
    }
    if (down.length === 0) {
      this.#wasTogether = false;
      this.#isReported = false;
    }
    this.#pressedButtons = down;
    return intents;
  }
}

/** How far the right stick is pushed, -1 to 1 per axis. The left stick moves the focus. */
export function rightStickDeflection(pad: GamepadState): { x: number; y: number } {
  const live = (axis = 0) => (Math.abs(axis) < DEAD_ZONE ? 0 : axis);
  return { x: live(pad.axes[2]), y: live(pad.axes[3]) };
}

/** Detects movement of the sticks of one gamepad, wherever they rest. */
export class StickActivityDetector {
  #lastAxes: readonly number[] | null = null;

  /** Whether an axis has moved since the last movement. The first reading is the reference. */
  hasMoved({ axes }: GamepadState): boolean {
    const before = this.#lastAxes;
    const moved =
      before === null || axes.some((axis, i) => Math.abs(axis - (before[i] ?? 0)) > STICK_MOVE_THRESHOLD);
    if (moved) this.#lastAxes = [...axes];
    return moved && before !== null;
  }
}

/**
 * Follows the gamepads until the returned function is called: presses, the right stick in every frame, and stick
 * movement. Polls slowly while none is connected. A gamepad without the standard mapping is ignored: on which of its
 * buttons and axes something is is unknown, and a trigger that rests at -1 would turn the avatar for ever.
 */
export function watchGamepadInput(
  onIntent: (intent: GamepadIntent, kind: GamepadKind) => void,
  onPush: (x: number, y: number) => void,
  onStir: () => void,
): () => void {
  const last = new Map<number, GamepadState>();
  const chords = new Map<number, StartSelectInterpreter>();
  const hands = new Map<number, StickActivityDetector>();
  const directions = new Map<number, GamepadDirectionReader>();
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;

  const look = () => {
    if (over) return;
    let seen = false;
    for (const pad of navigator.getGamepads?.() ?? []) {
      if (!pad?.connected || pad.mapping !== 'standard') continue;
      seen = true;
      const { id = '' } = pad;
      const now: GamepadState = {
        id,
        buttons: pad.buttons.map(({ pressed }) => ({ pressed })),
        axes: [...pad.axes],
      };
      // A button held when the gamepad appears counts: the press has woken it.
      for (const intent of intentsOfNewlyPressedButtons(last.get(pad.index) ?? null, now))
        onIntent(intent, gamepadKindFromId(id));
      const chord = chords.get(pad.index) ?? new StartSelectInterpreter();
      chords.set(pad.index, chord);
      const reader = directions.get(pad.index) ?? new GamepadDirectionReader();
      directions.set(pad.index, reader);
      const at = performance.now();
      for (const intent of [...chord.readChord(now, at), ...reader.readDirections(now, at)])
        onIntent(intent, gamepadKindFromId(id));
      last.set(pad.index, now);
      const hand = hands.get(pad.index) ?? new StickActivityDetector();
      hands.set(pad.index, hand);
      if (hand.hasMoved(now)) onStir();
      const { x, y } = rightStickDeflection(now);
      if (x !== 0 || y !== 0) onPush(x, y);
    }
    if (!seen) {
      last.clear();
      chords.clear();
      hands.clear();
      directions.clear();
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

/** The meaning of a button. Buttons 0 and 1 are swapped on Nintendo's gamepads. */
function intentOfButton(button: number, id = ''): GamepadIntent {
  const swapped = button < 2 && gamepadKindFromId(id) === 'nintendo' ? 1 - button : button;
  return BUTTON_INTENTS[swapped] ?? 'other';
}

/** The direction in which the left stick is tilted, given the one before; null at rest. */
function leftStickDirection(pad: GamepadState, before: Direction | null): Direction | null {
  const [x, y] = [pad.axes[0] ?? 0, pad.axes[1] ?? 0];
  const tilts: Record<Direction, number> = { left: -x, right: x, up: -y, down: y };
  const furthest = (['left', 'right', 'up', 'down'] as const).reduce((a, b) => (tilts[b] > tilts[a] ? b : a));
  const isHeld = before !== null && tilts[before] >= TILT_OFF;
  if (isHeld && tilts[furthest] < tilts[before] + TILT_MARGIN) return before;
  return tilts[furthest] >= TILT_ON ? furthest : null;
}
