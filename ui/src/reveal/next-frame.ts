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
