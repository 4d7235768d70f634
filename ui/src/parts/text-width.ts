// Estimates the width of text: ideographs are nearly twice as wide as letters, places for a line break have none.

/** The width of an ideograph in letters. */
export const IDEOGRAPH_LETTERS = 1.9;

/** The width of a text in letters. */
export function textWidthInLetters(text: string): number {
  return [...text].reduce((sum, sign) => {
    if (sign === '\u200b') return sum;
    return (
      sum + (/[\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7af\uff00-\uff60]/.test(sign) ? IDEOGRAPH_LETTERS : 1)
    );
  }, 0);
}

/** The widest part of a text that cannot be broken: between spaces and zero-width spaces. */
export function longestUnbreakableText(text: string): string {
  return text
    .split(/[\s\u200b]/)
    .reduce((longest, one) => (textWidthInLetters(one) > textWidthInLetters(longest) ? one : longest), '');
}
