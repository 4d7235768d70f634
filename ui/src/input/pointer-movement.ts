// Tells movements of the pointer from reports of the web view that are none.

/** Where the pointer is on the screen, in pixels. */
export type PointerPosition = Pick<PointerEvent, 'screenX' | 'screenY'>;

/**
 * Detects movements in a series of `pointermove` events. The web view also reports one when only the page below the
 * pointer has changed.
 */
export class PointerMovementDetector {
  #last: PointerPosition | null = null;

  /** Whether the pointer has moved since the previous event. The first one counts as a movement. */
  hasMoved({ screenX, screenY }: PointerPosition): boolean {
    const moved = screenX !== this.#last?.screenX || screenY !== this.#last.screenY;
    this.#last = { screenX, screenY };
    return moved;
  }
}
