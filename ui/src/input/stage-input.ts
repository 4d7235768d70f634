// What keys, buttons and touches do on the visitor's screens.
import { recordDirectionPress } from '../sound/stage-sounds';
import type { DeskOverlay } from '../state/desk-overlay.svelte';
import { inputDevice } from '../state/input-device.svelte';
import { turnAvatar } from './avatar-turn';
import type { GamepadIntent, GamepadKind } from './gamepad';
import { topmostDialogOrRoot } from './modal-dialog';
import { PointerMovementDetector } from './pointer-movement';
import { type Direction, focusPrimaryActionOrFirst, moveFocus, scrollFocusedText } from './spatial-focus';

/** The actions that input triggers, and the state that they depend on. */
export interface StageActions {
  /** The element that contains the screens. */
  rootElement(): HTMLElement | undefined;
  /** The kind of the screen. */
  screenKind(): string;
  /** Whether the avatar can be turned: it is shown, and nothing covers it. */
  canTurnAvatar(): boolean;
  /** Notes an input. */
  noteActivity(): void;
  /** Opens or closes the choice of languages. */
  toggleLanguages(): void;
  /** Asks whether to leave, on a screen without a back button. */
  askToLeave(): void;
  /** Continues on screens that any press leaves. */
  continueOnAnyPress(): void;
  /** Shows or hides the operator's detail. */
  toggleDetail(): void;
  /** The lock of the desk, which receives the input while it is open. */
  deskOverlay: DeskOverlay;
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

/** The event listeners of the stage for keyboard, pointer and gamepad, which call its actions. */
export class StageInputListeners {
  readonly #actions: StageActions;
  readonly #pointerMovement = new PointerMovementDetector();

  constructor(of: StageActions) {
    this.#actions = of;
  }

  /** A key was pressed. */
  readonly onkeydown = (event: KeyboardEvent): void => {
    inputDevice.last = 'keyboard';
    this.#actions.noteActivity();
    // A key held since the previous screen, or since a dialog was opened, does nothing on this one.
    if (event.repeat && ['Enter', ' ', 'Escape'].includes(event.key)) event.preventDefault();
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const direction = ARROW_DIRECTIONS[event.key];
    if (direction) {
      event.preventDefault();
      this.#moveFocusOrTurn(direction, event.shiftKey && this.#actions.canTurnAvatar());
    } else if (event.repeat) return;
    else if (event.key === 'F9') this.#actions.toggleDetail();
    else if (event.key === 'Escape') {
      // The platform would report a dialog that it closes only with the next frame, and presses until then would be
      // lost. It would also close the dialog that this press opens.
      event.preventDefault();
      this.#goBack();
    } else if (event.key.toLowerCase() === 'l' && this.#actions.screenKind() !== 'attract')
      this.#actions.toggleLanguages();
  };

  /** A finger or a mouse button went down. */
  readonly onpointerdown = (event: PointerEvent): void => {
    inputDevice.last = event.pointerType === 'touch' ? 'touch' : 'pointer';
    this.#actions.noteActivity();
    this.#actions.deskOverlay.countCornerTouch(event);
  };

  /** The mouse has moved, and not only the screen below it. */
  readonly onpointermove = (event: PointerEvent): void => {
    if (this.#pointerMovement.hasMoved(event)) this.#actions.noteActivity();
  };

  /** A button of a gamepad was pressed. */
  readonly onGamepadIntent = (intent: GamepadIntent, pad: GamepadKind): void => {
    inputDevice.last = 'gamepad';
    inputDevice.pad = pad;
    this.#actions.noteActivity();
    const { deskOverlay } = this.#actions;
    const attract = this.#actions.screenKind() === 'attract';
    if (intent === 'desk') deskOverlay.openDesk();
    else if (deskOverlay.isOpen) deskOverlay.gamepadHandler?.(intent);
    else if (intent === 'back' && !attract) this.#goBack();
    else if (intent === 'language') this.#actions.toggleLanguages();
    else if (intent === 'confirm') this.#confirmFocused();
    else if (intent !== 'other' && intent !== 'back') {
      recordDirectionPress();
      this.#moveFocusOrTurn(intent);
    } else this.#actions.continueOnAnyPress();
  };

  /** The right stick is pushed. */
  readonly onStickPush = (x: number, y: number): void => {
    if (this.#actions.canTurnAvatar()) turnAvatar(x * 0.035, y * 0.025);
  };

  /** Moves the focus. Turns the avatar on request, or where nothing lies in that direction. */
  #moveFocusOrTurn(direction: Direction, meant = false): void {
    const root = this.#actions.rootElement();
    if (!root) return;
    if (scrollFocusedText(document.activeElement, direction)) return;
    // The avatar keeps the arrow keys while it has the focus.
    const held = document.activeElement?.matches('[data-turns]') ?? false;
    if (!held && !meant && moveFocus(topmostDialogOrRoot(root), direction)) return;
    if (this.#actions.canTurnAvatar()) turnAvatar(...TURN_STEPS[direction]);
  }

  #goBack(): void {
    const root = this.#actions.rootElement();
    if (!root) return;
    if (document.activeElement?.matches('[data-turns]')) focusPrimaryActionOrFirst(topmostDialogOrRoot(root));
    else {
      const button = topmostDialogOrRoot(root).querySelector<HTMLElement>('[data-back]');
      if (button) button.click();
      else this.#actions.askToLeave();
    }
  }

  #confirmFocused(): void {
    const root = this.#actions.rootElement();
    if (!root) return;
    const active = document.activeElement;
    const within = topmostDialogOrRoot(root);
    if (active instanceof HTMLElement && within.contains(active)) {
      if (active.matches('[data-turns]')) focusPrimaryActionOrFirst(within);
      else active.click();
    } else focusPrimaryActionOrFirst(within);
  }
}
