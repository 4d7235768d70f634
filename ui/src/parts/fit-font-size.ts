// Fits texts of unknown length, which the operator has written.

/**
 * Sets the largest of `sizes` (in rem, descending) at which the column does not overflow, and updates it with the
 * window. Falls back to the smallest.
 */
export function createFontFittingAttachment(sizes: readonly number[]): (element: HTMLElement) => () => void {
  return (element) => {
    const column = element.closest<HTMLElement>('.words') ?? element;
    const fits = () =>
      column.scrollHeight <= column.clientHeight + 1 &&
      // A scrolling element hides its overflow from the column.
      element.scrollHeight <= element.clientHeight + 1 &&
      element.scrollWidth <= element.clientWidth + 1;
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
