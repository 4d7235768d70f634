// Fits texts of unknown length, which the operator has written.

/**
 * Sets the largest of `sizes` (in rem, descending) at which the column does not overflow, and updates it with the
 * window. Falls back to the smallest.
 */
export function createFontFittingAttachment(sizes: readonly number[]): (element: HTMLElement) => () => void {
  return (element) => {
    const column = element.closest<HTMLElement>('.words') ?? element;
    // Sizes are rounded, and letters are a little taller than their lines: two pixels at 1080p, four at 2160p.
    const slack = () =>
      Math.max(1, Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 8 || 1);
    const fits = () =>
      column.scrollHeight <= column.clientHeight + slack() &&
      // A scrolling element hides its overflow from the column.
      element.scrollHeight <= element.clientHeight + slack() &&
      element.scrollWidth <= element.clientWidth + slack();
    const settle = () => {
      for (const size of sizes) {
        element.style.fontSize = `${size}rem`;
        if (fits()) return;
      }
    };
    settle();
    // Fonts may load after the text and change its length.
    void document.fonts?.ready.then(settle);
    const changes = new MutationObserver(settle);
    changes.observe(column, { childList: true, characterData: true, subtree: true });
    window.addEventListener('resize', settle);
    return () => {
      changes.disconnect();
      window.removeEventListener('resize', settle);
    };
  };
}
