// Words that somebody else wrote have a length that no style sheet knows.

/**
 * Sets an element in the largest of `sizes` (in rem, falling) at which the column that it stands in holds everything,
 * and follows the window. What does not fit at the smallest stays at the smallest.
 */
export function fitFontSize(sizes: readonly number[]): (element: HTMLElement) => () => void {
  return (element) => {
    const column = element.closest<HTMLElement>('.words') ?? element;
    const fits = () =>
      column.scrollHeight <= column.clientHeight + 1 &&
      // What scrolls takes no more room than there is, and hides the rest.
      element.scrollHeight <= element.clientHeight + 1 &&
      element.scrollWidth <= element.clientWidth + 1;
    const settle = () => {
      for (const size of sizes) {
        element.style.fontSize = `${size}rem`;
        if (fits()) return;
      }
    };
    settle();
    // The fonts may come later than the words, and change how long they are.
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
