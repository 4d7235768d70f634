// The way to the desk: F10, Start and Select held, or five touches in the upper left corner. Small, because every
// page has it; the desk itself is loaded when somebody goes in.
import type { Intent } from '../input/gamepad';

/** Touches in the corner that ask for the desk, and the milliseconds that they may take. */
const TOUCHES = 5;
const WITHIN = 3000;
/** The corner, as shares of the window's width and height. */
const CORNER = { x: 0.07, y: 0.1 };

/** Whether somebody asked for the desk, and who takes the gamepad meanwhile. */
export class Door {
  /** The pad or the desk lies over the stage. */
  open = $state(false);
  /** Takes what the gamepad says while it is open. */
  onIntent: ((intent: Intent) => void) | null = null;

  /** Takes the keys that no field of the desk took. */
  onKey: ((event: KeyboardEvent) => void) | null = null;

  #touches: number[] = [];
  #theirs = false;

  /** Asks for the desk. */
  enter(): void {
    this.#touches = [];
    this.open = true;
  }

  /** Back to the stage. */
  leave(): void {
    this.open = false;
    this.onIntent = null;
    this.onKey = null;
  }

  /** Notes, before anything else hears of a key or a click, whose it is. */
  capture(): void {
    this.#theirs = this.open;
  }

  /** A key: the desk's while it is open, and F10 opens it. None of them reaches the stage, which listens farther out. */
  keydown(event: KeyboardEvent): void {
    if (this.#theirs) {
      event.stopPropagation();
      if (this.open) this.onKey?.(event);
    } else if (event.key === 'F10' && !(event.repeat || event.ctrlKey || event.altKey || event.metaKey)) {
      event.stopPropagation();
      event.preventDefault();
      this.enter();
    }
  }

  /** A click: neither the desk's nor one that is counted in the corner reaches the stage, where a tap begins a visit. */
  click(event: MouseEvent): void {
    if (this.#theirs || (this.#touches.length > 0 && inCorner(event))) event.stopPropagation();
  }

  /** Counts a touch in the corner; other touches begin anew. */
  touch(event: PointerEvent): void {
    if (this.open) return;
    if (event.pointerType !== 'touch' || !inCorner(event)) {
      this.#touches = [];
      return;
    }
    const now = event.timeStamp;
    this.#touches = [...this.#touches.filter((at) => now - at <= WITHIN), now];
    if (this.#touches.length >= TOUCHES) this.enter();
  }
}

function inCorner(event: MouseEvent): boolean {
  if (event.target instanceof Element && event.target.closest('button')) return false;
  return event.clientX < innerWidth * CORNER.x && event.clientY < innerHeight * CORNER.y;
}
