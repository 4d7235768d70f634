// What keys, buttons and touches mean on the visitor's screens.
import type { DeskLock } from '../state/desk-lock.svelte';
import { inputDevice } from '../state/input-device.svelte';
import { turnAvatar } from './avatar-turn';
import type { GamepadIntent, GamepadKind } from './gamepad';
import { topLayerOf } from './modal-dialog';
import { type Direction, focusPrimary, moveFocus, scrollFocusedText } from './spatial-focus';

/** What is steered. */
export interface StageActions {
  /** The element that everything stands in. */
  rootElement(): HTMLElement | undefined;
  /** The kind of the screen. */
  screenKind(): string;
  /** Whether what stands on the stage can be turned: nothing lies over it. */
  canTurnAvatar(): boolean;
  /** Somebody moved. */
  noteActivity(): void;
  /** Opens or closes the choice of languages. */
  toggleLanguages(): void;
  /** Leaves, or asks whether to, where no button stands for it. */
  askToLeave(): void;
  /** Goes on, where any button does. */
  continueOnAnyPress(): void;
  /** Shows or hides the operator's detail. */
  toggleDetail(): void;
  /** The way to the desk; while that is open, what is pressed is the desk's. */
  deskLock: DeskLock;
}

const ARROW_DIRECTIONS: Record<string, Direction> = {
  ArrowUp: 'up',
  ArrowDown: 'down',
  ArrowLeft: 'left',
  ArrowRight: 'right',
};
const TURN_STEPS: Record<Direction, [number, number]> = {
  left: [-0.22, 0],
  right: [0.22, 0],
  up: [0, -0.12],
  down: [0, 0.12],
};

/** The listeners for whatever a person steers with. */
export class StageInput {
  readonly #actions: StageActions;
  #lastPointerPosition = '';

  constructor(of: StageActions) {
    this.#actions = of;
  }

  /** A key went down. */
  readonly onkeydown = (event: KeyboardEvent): void => {
    inputDevice.last = 'keyboard';
    this.#actions.noteActivity();
    // A key that is held since the screen before presses nothing on this one.
    if (event.repeat && (event.key === 'Enter' || event.key === ' ')) event.preventDefault();
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const direction = ARROW_DIRECTIONS[event.key];
    if (direction) {
      event.preventDefault();
      this.#moveFocusOrTurn(direction, event.shiftKey && this.#actions.canTurnAvatar());
    } else if (event.repeat) return;
    else if (event.key === 'F9') this.#actions.toggleDetail();
    else if (event.key === 'Escape') this.#onEscape(event);
    else if (event.key.toLowerCase() === 'l' && this.#actions.screenKind() !== 'attract')
      this.#actions.toggleLanguages();
  };

  /** A finger or a mouse button went down. */
  readonly onpointerdown = (event: PointerEvent): void => {
    inputDevice.last = event.pointerType === 'touch' ? 'touch' : 'pointer';
    this.#actions.noteActivity();
    this.#actions.deskLock.countCornerTouch(event);
  };

  /** The mouse moved, not just the screen beneath it. */
  readonly onpointermove = ({ screenX, screenY }: PointerEvent): void => {
    const at = `${screenX} ${screenY}`;
    if (at !== this.#lastPointerPosition) this.#actions.noteActivity();
    this.#lastPointerPosition = at;
  };

  /** A button of a gamepad was pressed. */
  readonly onGamepadIntent = (intent: GamepadIntent, pad: GamepadKind): void => {
    inputDevice.last = 'gamepad';
    inputDevice.pad = pad;
    this.#actions.noteActivity();
    const { deskLock: door } = this.#actions;
    const attract = this.#actions.screenKind() === 'attract';
    if (intent === 'desk') door.openDesk();
    else if (door.isOpen) door.gamepadHandler?.(intent);
    else if (intent === 'back' && !attract) this.#goBack();
    else if (intent === 'language') this.#actions.toggleLanguages();
    else if (intent === 'confirm') this.#confirmFocused();
    else if (intent !== 'other' && intent !== 'back') this.#moveFocusOrTurn(intent);
    else this.#actions.continueOnAnyPress();
  };

  /** The right stick is pushed. */
  readonly onStickPush = (x: number, y: number): void => {
    if (this.#actions.canTurnAvatar()) turnAvatar(x * 0.035, y * 0.025);
  };

  /** Moves the focus, or turns what stands on the stage where that is meant or nothing lies in that direction. */
  #moveFocusOrTurn(direction: Direction, meant = false): void {
    const root = this.#actions.rootElement();
    if (!root) return;
    if (scrollFocusedText(document.activeElement, direction)) return;
    // What can be turned keeps the arrows to itself while it has the focus.
    const held = document.activeElement?.matches('[data-turns]') ?? false;
    if (!held && !meant && moveFocus(topLayerOf(root), direction)) return;
    if (this.#actions.canTurnAvatar()) turnAvatar(...TURN_STEPS[direction]);
  }

  /** The platform closes a dialog; elsewhere Escape goes back. */
  #onEscape(event: KeyboardEvent): void {
    const root = this.#actions.rootElement();
    if (!root || topLayerOf(root) !== root) return;
    // Otherwise the same press would close the dialog that going back may open.
    event.preventDefault();
    this.#goBack();
  }

  #goBack(): void {
    const root = this.#actions.rootElement();
    if (!root) return;
    if (document.activeElement?.matches('[data-turns]')) focusPrimary(topLayerOf(root));
    else {
      const button = topLayerOf(root).querySelector<HTMLElement>('[data-back]');
      if (button) button.click();
      else this.#actions.askToLeave();
    }
  }

  #confirmFocused(): void {
    const root = this.#actions.rootElement();
    if (!root) return;
    const active = document.activeElement;
    const within = topLayerOf(root);
    if (active instanceof HTMLElement && within.contains(active)) {
      if (active.matches('[data-turns]')) focusPrimary(within);
      else active.click();
    } else focusPrimary(within);
  }
}
