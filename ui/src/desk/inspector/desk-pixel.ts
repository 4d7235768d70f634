/** What `--u` of tokens.css is in pixels: rows that are not there must be counted. */
export function deskPixelSize(width: number, height: number): number {
  return Math.max(0.9333, Math.min(width / 1920, height / 1080));
}
