// Reduces the motion of the stage on machines that cannot draw it smoothly.

/** Milliseconds over which frames are counted. */
const MEASURE_MS = 2000;
/** Milliseconds after a change of screen until its transitions have ended. */
const SETTLE_MS = 2500;
/** Frames per second below which motion stutters and uses a whole core: the sign of software rendering. */
const MIN_FRAME_RATE = 24;

/** Whether a frame count means a rate that is too low. No frame at all means a hidden page. */
export function isFrameRateTooLow(frames: number, milliseconds: number): boolean {
  return frames > 0 && (frames * 1000) / milliseconds < MIN_FRAME_RATE;
}

/** Whether the last measurement reduced the motion. */
export function isMotionReducedByFrameRate(root: HTMLElement = document.documentElement): boolean {
  return root.dataset.motion === 'spare';
}

/**
 * Restores full motion and counts frames. A rate that is too low reduces the motion (`data-motion="spare"` on the
 * root) until the next measurement. The returned function cancels it.
 */
export function remeasureAndMaybeReduceMotion(root: HTMLElement = document.documentElement): () => void {
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
