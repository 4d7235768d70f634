// A long press on the brand, which opens the operator's detail without a keyboard.

/** Milliseconds of a long press. */
export const HOLD_MS = 1000;

/** Calls `onheld` when a finger or a mouse button stays down. The click at its end does nothing else. */
export class BrandLongPressDetector {
  readonly #onheld: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isHeld = false;

  constructor(onheld: () => void) {
    this.#onheld = onheld;
  }

  /** A pointer went down. */
  readonly begin = (): void => {
    this.#isHeld = false;
    this.end();
    this.#timer = setTimeout(() => {
      this.#isHeld = true;
      this.#onheld();
    }, HOLD_MS);
  };

  /** It went up, or away. */
  readonly end = (): void => clearTimeout(this.#timer);

  /** A click that ends a long press does not reach the screen. */
  readonly onclick = (event: MouseEvent): void => {
    if (this.#isHeld) event.stopPropagation();
    this.#isHeld = false;
  };
}
