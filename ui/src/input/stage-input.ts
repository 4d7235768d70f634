// What keys, buttons and touches mean on the visitor's screens.
import type { Door } from '../state/desk-lock.svelte';
import { device } from '../state/input-device.svelte';
import type { Intent, PadKind } from './gamepad';
import { type Direction, focusPrimary, keepFocus, moveFocus, scrolled } from './spatial-focus';
import { turn } from './avatar-turn';

/** What is steered. */
export interface Steered {
  /** The element that everything stands in. */
  root(): HTMLElement | undefined;
  /** The kind of the screen. */
  kind(): string;
  /** Whether what stands on the stage can be turned: nothing lies over it. */
  turns(): boolean;
  /** Somebody moved. */
  moved(): void;
  /** Opens or closes the choice of languages. */
  languages(): void;
  /** Leaves, or asks whether to, where no button stands for it. */
  leave(): void;
  /** Goes on, where any button does. */
  begin(): void;
  /** Shows or hides the operator's detail. */
  detail(): void;
  /** The way to the desk; while that is open, what is pressed is the desk's. */
  door: Door;
}

const ARROWS: Record<string, Direction> = {
  ArrowUp: 'up',
  ArrowDown: 'down',
  ArrowLeft: 'left',
  ArrowRight: 'right',
};
const TURNS: Record<Direction, [number, number]> = {
  left: [-0.22, 0],
  right: [0.22, 0],
  up: [0, -0.12],
  down: [0, 0.12],
};

/** Where the focus may go: what lies on top. */
export function scope(within: HTMLElement): HTMLElement {
  return within.querySelector<HTMLElement>('[data-scope]') ?? within;
}

/** The listeners for whatever a person steers with. */
export class Steering {
  readonly #of: Steered;
  #pointer = '';

  constructor(of: Steered) {
    this.#of = of;
  }

  /** A key went down. */
  readonly onkeydown = (event: KeyboardEvent): void => {
    device.last = 'keyboard';
    this.#of.moved();
    // A key that is held since the screen before presses nothing on this one.
    if (event.repeat && (event.key === 'Enter' || event.key === ' ')) event.preventDefault();
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const direction = ARROWS[event.key];
    if (direction) {
      event.preventDefault();
      this.#move(direction, event.shiftKey && this.#of.turns());
    } else if (event.repeat) return;
    else if (event.key === 'F9') this.#of.detail();
    else if (event.key === 'Escape') this.#back();
    else if (event.key.toLowerCase() === 'l' && this.#of.kind() !== 'attract') this.#of.languages();
  };

  /** A finger or a mouse button went down. */
  readonly onpointerdown = (event: PointerEvent): void => {
    device.last = event.pointerType === 'touch' ? 'touch' : 'pointer';
    this.#of.moved();
    this.#of.door.touch(event);
  };

  /** The mouse moved, not just the screen beneath it. */
  readonly onpointermove = ({ screenX, screenY }: PointerEvent): void => {
    const at = `${screenX} ${screenY}`;
    if (at !== this.#pointer) this.#of.moved();
    this.#pointer = at;
  };

  /** The focus left an element. */
  readonly onfocusout = (event: FocusEvent): void => {
    // What goes to something else is not lost: Tab has not arrived there yet.
    if (event.relatedTarget !== null) return;
    queueMicrotask(() => {
      const root = this.#of.root();
      if (root && !this.#of.door.open && document.hasFocus()) keepFocus(scope(root));
    });
  };

  /** A button of a gamepad was pressed. */
  readonly onIntent = (intent: Intent, pad: PadKind): void => {
    device.last = 'gamepad';
    device.pad = pad;
    this.#of.moved();
    const { door } = this.#of;
    const attract = this.#of.kind() === 'attract';
    if (intent === 'desk') door.enter();
    else if (door.open) door.onIntent?.(intent);
    else if (intent === 'back' && !attract) this.#back();
    else if (intent === 'language') this.#of.languages();
    else if (intent === 'confirm') this.#confirm();
    else if (intent !== 'other' && intent !== 'back') this.#move(intent);
    else this.#of.begin();
  };

  /** The right stick is pushed. */
  readonly onPush = (x: number, y: number): void => {
    if (this.#of.turns()) turn(x * 0.035, y * 0.025);
  };

  /** Moves the focus, or turns what stands on the stage where that is meant or nothing lies in that direction. */
  #move(direction: Direction, meant = false): void {
    const root = this.#of.root();
    if (!root) return;
    if (scrolled(document.activeElement, direction)) return;
    // What can be turned keeps the arrows to itself while it has the focus.
    const held = document.activeElement?.matches('[data-turns]') ?? false;
    if (!held && !meant && moveFocus(scope(root), direction)) return;
    if (this.#of.turns()) turn(...TURNS[direction]);
  }

  #back(): void {
    const root = this.#of.root();
    if (!root) return;
    if (document.activeElement?.matches('[data-turns]')) focusPrimary(scope(root));
    else {
      const button = scope(root).querySelector<HTMLElement>('[data-back]');
      if (button) button.click();
      else this.#of.leave();
    }
  }

  #confirm(): void {
    const root = this.#of.root();
    if (!root) return;
    const active = document.activeElement;
    const within = scope(root);
    if (active instanceof HTMLElement && within.contains(active)) {
      if (active.matches('[data-turns]')) focusPrimary(within);
      else active.click();
    } else focusPrimary(within);
  }
}
