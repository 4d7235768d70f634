/** An SVG document as an image's address: whatever it holds, nothing of it runs. */
export function svgDataUrl(svg: string): string {
  const binary = Array.from(new TextEncoder().encode(svg), (byte) => String.fromCharCode(byte)).join('');
  return `data:image/svg+xml;base64,${btoa(binary)}`;
}
