// How much the stage moves by itself: as much as the machine draws.

/** How long frames are counted. */
const MEASURE_MS = 2000;
/** After a change of screen, until everything has come to rest. */
const SETTLE_MS = 2500;
/** With fewer frames a second, movement that should calm stutters, and costs a whole core: nothing draws it but software. */
const MIN_FRAME_RATE = 24;

/** Whether frames that came in so many milliseconds are too few. None at all mean a page that nobody sees. */
export function isFrameRateTooLow(frames: number, milliseconds: number): boolean {
  return frames > 0 && (frames * 1000) / milliseconds < MIN_FRAME_RATE;
}

/** Whether the last look found that nothing but software draws here. */
export function isMotionReduced(root: HTMLElement = document.documentElement): boolean {
  return root.dataset.motion === 'spare';
}

/**
 * Lets the stage move in full for a moment, and counts the frames that come of it: where they are too few, it is spared
 * (`data-motion="spare"` at the root), until the next look. The answer ends a look.
 */
export function measureFrameRate(root: HTMLElement = document.documentElement): () => void {
  delete root.dataset.motion;
  let frame = 0;
  const timer = setTimeout(() => {
    const begun = performance.now();
    let frames = 0;
    const next = () => {
      frames += 1;
      const passed = performance.now() - begun;
      if (passed < MEASURE_MS) frame = requestAnimationFrame(next);
      else if (!document.hidden && isFrameRateTooLow(frames, passed)) root.dataset.motion = 'spare';
    };
    frame = requestAnimationFrame(next);
  }, SETTLE_MS);
  return () => {
    clearTimeout(timer);
    cancelAnimationFrame(frame);
  };
}
