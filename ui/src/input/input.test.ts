import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  GamepadDirectionReader,
  type GamepadState,
  gamepadKindFromId,
  intentsOfNewlyPressedButtons,
  rightStickDeflection,
  StartSelectInterpreter,
  StickActivityDetector,
  watchGamepadInput,
} from './gamepad';
import { showModalAndReturnFocus } from './modal-dialog';
import {
  focusPrimaryActionIfFocusLost,
  moveFocus,
  nearestRectIndexInDirection,
  scrollFocusedText,
} from './spatial-focus';

const box = (left: number, top: number, width = 100, height = 40) => ({ left, top, width, height });

describe('the nearest element in a direction', () => {
  const from = box(100, 100);
  it('lies in that direction', () => {
    const others = [box(300, 100), box(100, 300), box(-200, 100), box(100, -100)];
    expect(nearestRectIndexInDirection(from, others, 'right')).toBe(0);
    expect(nearestRectIndexInDirection(from, others, 'down')).toBe(1);
    expect(nearestRectIndexInDirection(from, others, 'left')).toBe(2);
    expect(nearestRectIndexInDirection(from, others, 'up')).toBe(3);
  });
  it('prefers straight ahead', () =>
    expect(nearestRectIndexInDirection(from, [box(220, 220), box(380, 100)], 'right')).toBe(1));
  it('prefers the same row to a nearer element in another', () => {
    // A wrapped button is below the first one.
    expect(nearestRectIndexInDirection(from, [box(104, 150), box(240, 100)], 'right')).toBe(1);
    expect(nearestRectIndexInDirection(from, [box(104, 150), box(240, 100)], 'down')).toBe(0);
    // Without one in the same row, another row is used.
    expect(nearestRectIndexInDirection(from, [box(900, 600)], 'right')).toBe(0);
  });
  it('is none when there is none', () =>
    expect(nearestRectIndexInDirection(from, [box(100, 300)], 'up')).toBe(-1));
});

describe('a modal dialog', () => {
  afterEach(() => document.body.replaceChildren());

  /** An opened dialog, the button that opened it, and another one. */
  function openDialog() {
    const [opener, other] = [document.createElement('button'), document.createElement('button')];
    const dialog = document.createElement('dialog');
    dialog.append(document.createElement('button'));
    document.body.append(opener, other, dialog);
    opener.focus();
    const leave = showModalAndReturnFocus(dialog);
    expect(dialog.contains(document.activeElement)).toBe(true);
    const close = () => {
      dialog.remove();
      leave();
    };
    return { opener, other, close };
  }

  it('gives the focus back to the element that opened it', () => {
    const { opener, close } = openDialog();
    close();
    expect(document.activeElement).toBe(opener);
  });
  it('leaves the focus where it was moved since', () => {
    const { other, close } = openDialog();
    other.focus();
    close();
    expect(document.activeElement).toBe(other);
  });
});

describe('the focus', () => {
  afterEach(() => document.body.replaceChildren());

  function stage(...labels: string[]): HTMLElement {
    const root = document.createElement('main');
    labels.forEach((label, i) => {
      const button = document.createElement('button');
      button.textContent = label;
      button.getBoundingClientRect = () => ({ ...box(i * 200, 0) }) as DOMRect;
      if (label === 'primary') button.dataset.primary = '';
      root.append(button);
    });
    document.body.append(root);
    return root;
  }

  it('moves by direction and stops at the edge', () => {
    const root = stage('one', 'two');
    root.querySelector('button')?.focus();
    expect(moveFocus(root, 'right')).toBe(true);
    expect(document.activeElement?.textContent).toBe('two');
    expect(moveFocus(root, 'right')).toBe(false);
    expect(document.activeElement?.textContent).toBe('two');
  });

  it('leaves a text at its end for the first element below', () => {
    const root = stage('one', 'two');
    for (const [i, button] of [...root.querySelectorAll('button')].entries())
      button.getBoundingClientRect = () => new DOMRect(i * 200, 500, 100, 40);
    const text = document.createElement('div');
    text.tabIndex = 0;
    text.dataset.scrolls = '';
    text.getBoundingClientRect = () => new DOMRect(0, 0, 700, 400);
    let [top, high] = [0, 700];
    Object.defineProperties(text, {
      clientHeight: { value: 400 },
      scrollHeight: { get: () => high },
      scrollTop: { get: () => top, set: (to: number) => (top = to) },
    });
    root.prepend(text);
    text.focus();
    expect([
      scrollFocusedText(text, 'down'),
      scrollFocusedText(text, 'down'),
      scrollFocusedText(text, 'down'),
    ]).toEqual([true, true, false]);
    expect([scrollFocusedText(text, 'up'), top]).toEqual([true, 60]);
    // Rounding by a pixel is not scrollable text.
    [top, high] = [0, 401];
    expect(scrollFocusedText(text, 'down')).toBe(false);
    expect(scrollFocusedText(text, 'right')).toBe(false);
    expect(moveFocus(root, 'down')).toBe(true);
    expect(document.activeElement?.textContent).toBe('one');
    expect(scrollFocusedText(document.activeElement, 'down')).toBe(false);
  });

  it('enters a group at the selected member, and then moves by position', () => {
    const root = stage('begin', 'one', 'two');
    const group = document.createElement('div');
    group.setAttribute('role', 'group');
    const [begin, one, two] = [...root.querySelectorAll('button')] as unknown as [
      HTMLElement,
      HTMLElement,
      HTMLElement,
    ];
    two.setAttribute('aria-pressed', 'true');
    group.append(one, two);
    root.append(group);
    begin.focus();
    moveFocus(root, 'right');
    expect(document.activeElement).toBe(two);
    moveFocus(root, 'left');
    expect(document.activeElement).toBe(one);
  });

  it('returns to the primary action when its element is removed', () => {
    const root = stage('one', 'primary');
    const first = root.querySelector('button');
    first?.focus();
    focusPrimaryActionIfFocusLost(root);
    expect(document.activeElement?.textContent).toBe('one');
    first?.remove();
    focusPrimaryActionIfFocusLost(root);
    expect(document.activeElement?.textContent).toBe('primary');
  });
});

const pad = (pressed: number[], axes: number[] = [0, 0, 0, 0]): GamepadState => ({
  buttons: Array.from({ length: 16 }, (_, i) => ({ pressed: pressed.includes(i) })),
  axes,
});

describe('a gamepad', () => {
  it('reports a press once', () => {
    expect(intentsOfNewlyPressedButtons(pad([]), pad([0]))).toEqual(['confirm']);
    expect(intentsOfNewlyPressedButtons(pad([0]), pad([0]))).toEqual([]);
    expect(intentsOfNewlyPressedButtons(pad([0]), pad([0, 1]))).toEqual(['back']);
  });
  it('reads directions from the D-pad and the stick', () => {
    const read = (...states: GamepadState[]) => {
      const reader = new GamepadDirectionReader();
      return states.map((state, i) => reader.readDirections(state, i * 10));
    };
    expect(read(pad([]), pad([12, 13, 14, 15]))).toEqual([[], ['up', 'down', 'left', 'right']]);
    expect(read(pad([]), pad([], [0.9, 0.1]))).toEqual([[], ['right']]);
    expect(read(pad([], [0.9, 0]), pad([], [0.95, 0]))).toEqual([['right'], []]);
    expect(read(pad([]), pad([], [0.1, -0.8]))).toEqual([[], ['up']]);
    expect(intentsOfNewlyPressedButtons(pad([]), pad([12, 13, 14, 15]))).toEqual([]);
  });
  it('counts a trembling stick once, and a rolled one only when it clearly points elsewhere', () => {
    const reader = new GamepadDirectionReader();
    let at = 0;
    const tilt = (x: number, y: number) => {
      at += 10;
      return reader.readDirections(pad([], [x, y]), at);
    };
    expect(tilt(0.62, 0)).toEqual(['right']);
    for (const x of [0.58, 0.61, 0.5, 0.65, 0.45]) expect(tilt(x, 0)).toEqual([]);
    expect(tilt(0.3, 0)).toEqual([]);
    expect(tilt(0.65, 0)).toEqual(['right']);
    // Rolled down through the diagonal.
    for (const [x, y] of [
      [0.7, 0.5],
      [0.68, 0.72],
      [0.6, 0.75],
    ] as const)
      expect(tilt(x, y)).toEqual([]);
    expect(tilt(0.4, 0.9)).toEqual(['down']);
  });
  it('repeats a held direction after a moment, and not for ever', () => {
    const reader = new GamepadDirectionReader();
    const down = pad([13]);
    expect(reader.readDirections(down, 0)).toEqual(['down']);
    expect(reader.readDirections(down, 400)).toEqual([]);
    expect(reader.readDirections(down, 460)).toEqual(['down']);
    expect(reader.readDirections(down, 500)).toEqual([]);
    expect(reader.readDirections(down, 580)).toEqual(['down']);
    // Let go, and pressed again.
    expect(reader.readDirections(pad([]), 590)).toEqual([]);
    expect(reader.readDirections(down, 600)).toEqual(['down']);
    expect(reader.readDirections(down, 700)).toEqual([]);
    let repeats = 0;
    for (let at = 700; at < 60_000; at += 16) repeats += reader.readDirections(down, at).length;
    expect(repeats).toBeGreaterThan(50);
    expect(repeats).toBeLessThan(100);
  });
  it('that is not mapped to the standard is ignored', () => {
    vi.useFakeTimers();
    const real = navigator.getGamepads;
    const [intents, pushes]: [string[], number[]] = [[], []];
    // A trigger rests at -1 where the right stick should be.
    const unknown = { connected: true, index: 0, mapping: '', ...pad([0, 13], [0.9, 0, -1, 0]) };
    navigator.getGamepads = () => [unknown] as unknown as Gamepad[];
    const stop = watchGamepadInput(
      (intent) => intents.push(intent),
      (x) => pushes.push(x),
      () => {},
    );
    vi.advanceTimersByTime(1000);
    stop();
    navigator.getGamepads = real;
    vi.useRealTimers();
    expect(intents).toEqual([]);
    expect(pushes).toEqual([]);
  });
  it('has buttons without a meaning of their own', () =>
    expect(intentsOfNewlyPressedButtons(null, pad([6]))).toEqual(['other']));
  it('rests in the dead zone', () => {
    expect(rightStickDeflection(pad([], [0.1, -0.1, 0.05, 0]))).toEqual({ x: 0, y: 0 });
    expect(rightStickDeflection(pad([], [0, 0, 0.1, -0.1]))).toEqual({ x: 0, y: 0 });
  });
  it('turns by the right stick alone: the left one moves the focus', () => {
    expect(rightStickDeflection(pad([], [0.8, -0.9, 0, 0]))).toEqual({ x: 0, y: 0 });
    expect(rightStickDeflection(pad([], [0.8, 0, 0.9, -0.5]))).toEqual({ x: 0.9, y: -0.5 });
  });
  it('is in use while a stick moves, not while a worn stick rests', () => {
    const hand = new StickActivityDetector();
    const rests = () => expect(hand.hasMoved(pad([], [0.3, 0, 0.3, 0]))).toBe(false);
    rests();
    rests();
    expect(hand.hasMoved(pad([], [0.32, 0.1, 0.25, 0]))).toBe(false);
    expect(hand.hasMoved(pad([], [0.3, 0, 0.6, 0]))).toBe(true);
    expect(hand.hasMoved(pad([], [0.3, 0, 0.6, 0]))).toBe(false);
    expect(hand.hasMoved(pad([], [0.3, 0, 0.3, 0]))).toBe(true);
    rests();
  });

  it('is found without an event, and no longer polled afterwards', () => {
    vi.useFakeTimers();
    const real = navigator.getGamepads;
    let pads: unknown[] = [];
    navigator.getGamepads = () => pads as (Gamepad | null)[];
    const intents: string[] = [];
    const stop = watchGamepadInput(
      (intent) => intents.push(intent),
      () => {},
      () => {},
    );
    pads = [null, { connected: true, index: 1, mapping: 'standard', ...pad([0]) }];
    vi.advanceTimersByTime(400);
    expect(intents).toEqual(['confirm']);
    stop();
    pads = [null, { connected: true, index: 1, mapping: 'standard', ...pad([1]) }];
    vi.advanceTimersByTime(1000);
    expect(intents).toEqual(['confirm']);
    navigator.getGamepads = real;
    vi.useRealTimers();
  });
});

describe('Start and Select', () => {
  const [SELECT, START] = [8, 9];
  it('act when one is released', () => {
    const chord = new StartSelectInterpreter();
    expect(chord.readChord(pad([START]), 0)).toEqual([]);
    expect(chord.readChord(pad([START]), 5000)).toEqual([]);
    expect(chord.readChord(pad([]), 5010)).toEqual(['confirm']);
    expect(chord.readChord(pad([SELECT]), 6000)).toEqual([]);
    expect(chord.readChord(pad([]), 6010)).toEqual(['other']);
    expect(intentsOfNewlyPressedButtons(pad([]), pad([START]))).toEqual([]);
  });
  it('open the desk when both are held for a second, and do nothing else', () => {
    const chord = new StartSelectInterpreter();
    expect(chord.readChord(pad([SELECT]), 0)).toEqual([]);
    expect(chord.readChord(pad([SELECT, START]), 100)).toEqual([]);
    expect(chord.readChord(pad([SELECT, START]), 1050)).toEqual([]);
    expect(chord.readChord(pad([SELECT, START]), 1100)).toEqual(['desk']);
    expect(chord.readChord(pad([SELECT, START]), 3000)).toEqual([]);
    expect(chord.readChord(pad([START]), 3010)).toEqual([]);
    expect(chord.readChord(pad([]), 3020)).toEqual([]);
    expect(chord.readChord(pad([START]), 4000)).toEqual([]);
    expect(chord.readChord(pad([]), 4010)).toEqual(['confirm']);
  });
  it('do nothing when held too shortly', () => {
    const chord = new StartSelectInterpreter();
    chord.readChord(pad([SELECT, START]), 0);
    chord.readChord(pad([START]), 900);
    expect(chord.readChord(pad([SELECT, START]), 1000)).toEqual([]);
    expect(chord.readChord(pad([SELECT, START]), 1900)).toEqual([]);
    expect(chord.readChord(pad([]), 1950)).toEqual([]);
  });
});

describe('the maker of a gamepad', () => {
  const named = (id: string, pressed: number[]) => ({ ...pad(pressed), id });
  it('is read from its name', () => {
    expect(
      gamepadKindFromId('DualSense Wireless Controller (STANDARD GAMEPAD Vendor: 054c Product: 0ce6)'),
    ).toBe('playstation');
    expect(gamepadKindFromId('Pro Controller (STANDARD GAMEPAD Vendor: 057e Product: 2009)')).toBe(
      'nintendo',
    );
    expect(gamepadKindFromId('Xbox 360 Controller (XInput STANDARD GAMEPAD)')).toBe('xbox');
    expect(gamepadKindFromId('')).toBe('xbox');
  });
  it('decides which button confirms', () => {
    expect(intentsOfNewlyPressedButtons(null, named('Pro Controller (Vendor: 057e)', [1]))).toEqual([
      'confirm',
    ]);
    expect(intentsOfNewlyPressedButtons(null, named('Pro Controller (Vendor: 057e)', [0]))).toEqual(['back']);
    expect(intentsOfNewlyPressedButtons(null, named('DualSense', [0]))).toEqual(['confirm']);
  });
});
