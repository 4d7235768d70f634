// Splits long work between the frames of the screen.

/** Resolves after the next frame; in a hidden window, which draws none, after 100 ms. */
export function waitForNextFrame(): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 100);
    requestAnimationFrame(() => {
      clearTimeout(timer);
      setTimeout(resolve);
    });
  });
}

/** Milliseconds of work between two frames. */
const SLICE_MS = 8;

/** Lets a frame be drawn whenever `SLICE_MS` have been spent since the last one. */
export class FrameYieldTimer {
  #since = performance.now();

  async waitIfUsedUp(): Promise<void> {
    if (performance.now() - this.#since < SLICE_MS) return;
    await waitForNextFrame();
    this.#since = performance.now();
  }
}
