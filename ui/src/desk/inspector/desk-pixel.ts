/** The pixels of `--u` in tokens.css, to compute the height of rows that are not rendered. */
export function pixelsPerDeskUnit(width: number, height: number): number {
  return Math.max(0.9333, Math.min(width / 1920, height / 1080));
}
