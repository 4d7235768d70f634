// Decodes a texture for the graphics card.
import { type BitmapBudget, MAX_DECODED_PIXELS } from './bitmap-budget';
import { readImageSize } from './image-size';
import { removeExif } from './remove-exif';

/** Maximum side of a texture in pixels. More is never visible and only fills the card's memory. */
export const MAX_TEXTURE_SIZE = 2048;

/** Decodes an image, scaled down to the maximum size. Rejects if it is too large, or its size is unknown. */
export async function decodeScaledBitmap(
  image: Uint8Array<ArrayBuffer>,
  budget: BitmapBudget,
): Promise<ImageBitmap> {
  const bytes = removeExif(image);
  const size = readImageSize(bytes);
  if (!size) throw new Error('an image is no PNG, JPEG, WebP or AVIF, or its size is unknown');
  const pixels = size.width * size.height;
  if (pixels > MAX_DECODED_PIXELS)
    throw new Error(`an image of ${size.width} × ${size.height} pixels is too large to be shown`);
  const scale = Math.min(1, MAX_TEXTURE_SIZE / Math.max(size.width, size.height));
  const width = Math.max(1, Math.round(size.width * scale));
  const height = Math.max(1, Math.round(size.height * scale));
  return budget.decode(pixels, width * height, () =>
    createImageBitmap(new Blob([bytes]), {
      // Required by glTF: the raw values of the image.
      premultiplyAlpha: 'none',
      colorSpaceConversion: 'none',
      ...(scale < 1 ? { resizeWidth: width, resizeHeight: height, resizeQuality: 'high' } : {}),
    }),
  );
}

/** A request to the worker to decode an image. */
export interface DecodeRequest {
  id: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/** The worker's response. */
export type DecodeResponse = { id: number; bitmap: ImageBitmap } | { id: number; problem: string };
