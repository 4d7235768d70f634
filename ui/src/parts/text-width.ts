// Estimates the width of text: ideographs are nearly twice as wide as letters.

/** The width of a text in letters. */
export function textWidthInLetters(text: string): number {
  return [...text].reduce(
    (sum, sign) => sum + (/[\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7af\uff00-\uff60]/.test(sign) ? 1.9 : 1),
    0,
  );
}
