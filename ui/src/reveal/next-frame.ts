// Long work is done between the pictures of the screen.

/** Until the screen has had its turn. A window that is not shown has none, but time goes on. */
export function nextFrame(): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 100);
    requestAnimationFrame(() => {
      clearTimeout(timer);
      setTimeout(resolve);
    });
  });
}
