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

/** The median of the milliseconds between some frames: the pace of the display, if nothing is drawn that is slow. */
export async function measureFrameInterval(): Promise<number> {
  const gaps: number[] = [];
  await waitForNextFrame();
  for (let last = performance.now(); gaps.length < 5; ) {
    await waitForNextFrame();
    const now = performance.now();
    gaps.push(now - last);
    last = now;
  }
  return gaps.sort((a, b) => a - b)[2] ?? 0;
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
