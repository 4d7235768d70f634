// Decides whether a logo needs a light plate: a dark drawing on a transparent ground is invisible on the dark stage.

/** Pixels along the longer side of the sample. */
const SAMPLE_PIXELS = 48;
/** Relative luminance that stands out well enough from the dark stage. */
const MIN_LUMINANCE = 0.16;

/** Whether the logo at a URL is a dark drawing on a transparent ground. False when the picture cannot be read. */
export async function logoNeedsLightPlate(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, { signal });
    const image = await createImageBitmap(await response.blob());
    const scale = SAMPLE_PIXELS / Math.max(image.width, image.height, 1);
    const canvas = new OffscreenCanvas(
      Math.max(1, Math.round(image.width * scale)),
      Math.max(1, Math.round(image.height * scale)),
    );
    const context = canvas.getContext('2d');
    if (!context) return false;
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    image.close();
    return isDarkOnTransparent(context.getImageData(0, 0, canvas.width, canvas.height).data);
  } catch {
    return false;
  }
}

/**
 * Whether RGBA pixels (0 to 255) are a dark drawing on a transparent ground. An opaque picture has its own ground.
 */
export function isDarkOnTransparent(pixels: ArrayLike<number>): boolean {
  let [light, covered] = [0, 0];
  for (let i = 0; i + 3 < pixels.length; i += 4) {
    const alpha = (pixels[i + 3] ?? 0) / 255;
    const linear = (value: number) => (value / 255) ** 2.2;
    const [r, g, b] = [pixels[i] ?? 0, pixels[i + 1] ?? 0, pixels[i + 2] ?? 0].map(linear) as [
      number,
      number,
      number,
    ];
    light += alpha * (0.2126 * r + 0.7152 * g + 0.0722 * b);
    covered += alpha;
  }
  const share = covered / Math.max(1, pixels.length / 4);
  return covered > 0 && share < 0.95 && light / covered < MIN_LUMINANCE;
}
