// The ways to open the desk: F10, Start and Select held together, or five touches in the upper left corner. Every
// page loads this; the desk itself is loaded when it is opened.
import type { LocalizedTextView } from '../generated/view';
import type { GamepadIntent } from '../input/gamepad';
import { recordKeyboardInput } from './input-device.svelte';

/** The operator's texts, by setting and language. */
export type TextDrafts = Record<'attract_text' | 'consent', LocalizedTextView>;

/** Touches in the corner that open the desk, and the milliseconds within which they must happen. */
const CORNER_TOUCHES = 5;
const CORNER_TOUCH_MS = 3000;
/** The size of the corner, as fractions of the window's width and height. */
const CORNER = { x: 0.07, y: 0.1 };

/**
 * Whether the PIN pad or the desk covers the stage, the inputs that open it (F10, corner touches), and the
 * handlers that receive input while it is open. The PIN lock itself is in `DeskStore.lockView`.
 */
export class DeskOverlay {
  /** Whether the PIN pad or the desk covers the stage. */
  isOpen = $state(false);
  /** Whether the unlocked desk hides the stage completely. The PIN pad does not. */
  isCovering = $state(false);
  /**
   * Texts of the operator that are not saved, by setting and language. Kept when the desk locks itself, until they are
   * saved or discarded.
   */
  textDrafts = $state<TextDrafts>({ attract_text: {}, consent: {} });
  /** Receives gamepad input while the desk is open. */
  gamepadHandler: ((intent: GamepadIntent) => void) | null = null;

  /** Receives keys that no control of the desk has handled. */
  keyHandler: ((event: KeyboardEvent) => void) | null = null;

  #touches: number[] = [];
  #isDeskEvent = false;

  /** Opens the desk. */
  openDesk(): void {
    this.#touches = [];
    this.isOpen = true;
  }

  /** Returns to the stage. */
  closeDesk(): void {
    this.isOpen = false;
    this.isCovering = false;
    this.gamepadHandler = null;
    this.keyHandler = null;
  }

  /** Forgets the unsaved texts. */
  discardTextDrafts(): void {
    this.textDrafts.attract_text = {};
    this.textDrafts.consent = {};
  }

  /** Decides whether an event belongs to the desk, before any other listener sees it. */
  captureEventOwner(): void {
    this.#isDeskEvent = this.isOpen;
  }

  /**
   * Passes keys to the open desk; F10 opens it. None of these keys reaches the stage, which listens on the window.
   */
  handleKeydown(event: KeyboardEvent): void {
    recordKeyboardInput(event);
    if (this.#isDeskEvent) {
      event.stopPropagation();
      if (this.isOpen) this.keyHandler?.(event);
    } else if (event.key === 'F10' && !(event.repeat || event.ctrlKey || event.altKey || event.metaKey)) {
      event.stopPropagation();
      event.preventDefault();
      this.openDesk();
    }
  }

  /** Keeps clicks on the desk and counted corner touches from the stage, where a tap starts a visit. */
  handleClick(event: MouseEvent): void {
    if (this.#isDeskEvent || (this.#touches.length > 0 && isCornerPress(event))) event.stopPropagation();
  }

  /** Counts a touch in the corner. Any other touch resets the count. */
  countCornerTouch(event: PointerEvent): void {
    if (this.isOpen) return;
    if (event.pointerType !== 'touch' || !isCornerPress(event)) {
      this.#touches = [];
      return;
    }
    const now = event.timeStamp;
    this.#touches = [...this.#touches.filter((at) => now - at <= CORNER_TOUCH_MS), now];
    if (this.#touches.length >= CORNER_TOUCHES) this.openDesk();
  }
}

/** Whether a draft differs from the saved text, apart from space around it. */
export function isTextDraftUnsaved(draft: string | undefined, saved: string | undefined): boolean {
  return draft !== undefined && draft.trim() !== (saved ?? '');
}

/** Whether a press is in the corner that opens the desk, and not on a button. */
function isCornerPress(event: MouseEvent): boolean {
  if (event.target instanceof Element && event.target.closest('button')) return false;
  return event.clientX < innerWidth * CORNER.x && event.clientY < innerHeight * CORNER.y;
}
