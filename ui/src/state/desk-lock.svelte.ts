// The way to the desk: F10, Start and Select held, or five touches in the upper left corner. Small, because every
// page has it; the desk itself is loaded when somebody goes in.
import type { GamepadIntent } from '../input/gamepad';

/** Touches in the corner that ask for the desk, and the milliseconds that they may take. */
const CORNER_TOUCHES = 5;
const CORNER_TOUCH_MS = 3000;
/** The corner, as shares of the window's width and height. */
const CORNER = { x: 0.07, y: 0.1 };

/** Whether somebody asked for the desk, and who takes the gamepad meanwhile. */
export class DeskLock {
  /** The pad or the desk lies over the stage. */
  isOpen = $state(false);
  /** Takes what the gamepad says while it is open. */
  gamepadHandler: ((intent: GamepadIntent) => void) | null = null;

  /** Takes the keys that no field of the desk took. */
  keyHandler: ((event: KeyboardEvent) => void) | null = null;

  #touches: number[] = [];
  #isDeskEvent = false;

  /** Asks for the desk. */
  openDesk(): void {
    this.#touches = [];
    this.isOpen = true;
  }

  /** Back to the stage. */
  closeDesk(): void {
    this.isOpen = false;
    this.gamepadHandler = null;
    this.keyHandler = null;
  }

  /** Notes, before anything else hears of a key or a click, whose it is. */
  captureEventOwner(): void {
    this.#isDeskEvent = this.isOpen;
  }

  /** A key: the desk's while it is open, and F10 opens it. None of them reaches the stage, which listens farther out. */
  handleKeydown(event: KeyboardEvent): void {
    if (this.#isDeskEvent) {
      event.stopPropagation();
      if (this.isOpen) this.keyHandler?.(event);
    } else if (event.key === 'F10' && !(event.repeat || event.ctrlKey || event.altKey || event.metaKey)) {
      event.stopPropagation();
      event.preventDefault();
      this.openDesk();
    }
  }

  /** A click: neither the desk's nor one that is counted in the corner reaches the stage, where a tap begins a visit. */
  handleClick(event: MouseEvent): void {
    if (this.#isDeskEvent || (this.#touches.length > 0 && isInCorner(event))) event.stopPropagation();
  }

  /** Counts a touch in the corner; other touches begin anew. */
  countCornerTouch(event: PointerEvent): void {
    if (this.isOpen) return;
    if (event.pointerType !== 'touch' || !isInCorner(event)) {
      this.#touches = [];
      return;
    }
    const now = event.timeStamp;
    this.#touches = [...this.#touches.filter((at) => now - at <= CORNER_TOUCH_MS), now];
    if (this.#touches.length >= CORNER_TOUCHES) this.openDesk();
  }
}

function isInCorner(event: MouseEvent): boolean {
  if (event.target instanceof Element && event.target.closest('button')) return false;
  return event.clientX < innerWidth * CORNER.x && event.clientY < innerHeight * CORNER.y;
}
