/** The pixels of `--u` in tokens.css. */
function pixelsPerDeskUnit(width: number, height: number): number {
  return Math.max(0.9333, Math.min(width / 1920, height / 1080));
}

/** The height of a row in pixels (`--touch` in tokens.css), also of rows that are not rendered. */
export function deskRowHeight(width: number, height: number): number {
  return Math.max(44, 44 * pixelsPerDeskUnit(width, height));
}
