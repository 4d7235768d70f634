/** An SVG document as the URL of an image, in which no script runs. */
export function svgDataUrl(svg: string): string {
  const binary = Array.from(new TextEncoder().encode(svg), (byte) => String.fromCharCode(byte)).join('');
  return `data:image/svg+xml;base64,${btoa(binary)}`;
}
