// How much the stage moves by itself: as much as the machine draws.

/** How long frames are counted. */
const LOOK = 2000;
/** After a change of screen, until everything has come to rest. */
const REST = 2500;
/** With fewer frames a second, movement that should calm stutters, and costs a whole core: nothing draws it but software. */
const FEWEST = 24;

/** Whether frames that came in so many milliseconds are too few. None at all mean a page that nobody sees. */
export function tooFew(frames: number, milliseconds: number): boolean {
  return frames > 0 && (frames * 1000) / milliseconds < FEWEST;
}

/** Whether the last look found that nothing but software draws here. */
export function isSpared(root: HTMLElement = document.documentElement): boolean {
  return root.dataset.motion === 'spare';
}

/**
 * Lets the stage move in full for a moment, and counts the frames that come of it: where they are too few, it is spared
 * (`data-motion="spare"` at the root), until the next look. The answer ends a look.
 */
export function lookAtMotion(root: HTMLElement = document.documentElement): () => void {
  delete root.dataset.motion;
  let frame = 0;
  const timer = setTimeout(() => {
    const begun = performance.now();
    let frames = 0;
    const next = () => {
      frames += 1;
      const passed = performance.now() - begun;
      if (passed < LOOK) frame = requestAnimationFrame(next);
      else if (!document.hidden && tooFew(frames, passed)) root.dataset.motion = 'spare';
    };
    frame = requestAnimationFrame(next);
  }, REST);
  return () => {
    clearTimeout(timer);
    cancelAnimationFrame(frame);
  };
}
