// Decodes a texture for the graphics card.
import { readImageSize } from './image-size';
import { removeExif } from './remove-exif';

/** Maximum side of a texture in pixels. More is never visible and only fills the card's memory. */
export const MAX_TEXTURE_SIZE = 2048;

/** Pixels of the largest image that is decoded. It is decoded as a whole before it is scaled down, with 4 bytes each. */
export const MAX_DECODED_PIXELS = 8192 * 8192;

/** Fetches and decodes an image, scaled down to the maximum size. Rejects if it is too large, or its size is unknown. */
export async function fetchAndDecodeScaledBitmap(url: string): Promise<ImageBitmap> {
  const bytes = removeExif(new Uint8Array(await (await fetch(url)).arrayBuffer()));
  const size = readImageSize(bytes);
  if (!size) throw new Error('an image is no PNG, JPEG, WebP or AVIF, or its size is unknown');
  if (size.width * size.height > MAX_DECODED_PIXELS)
    throw new Error(`an image of ${size.width} × ${size.height} pixels is too large to be shown`);
  const scale = MAX_TEXTURE_SIZE / Math.max(size.width, size.height);
  return createImageBitmap(new Blob([bytes]), {
    // Required by glTF: the raw values of the image.
    premultiplyAlpha: 'none',
    colorSpaceConversion: 'none',
    ...(scale < 1
      ? {
          resizeWidth: Math.max(1, Math.round(size.width * scale)),
          resizeHeight: Math.max(1, Math.round(size.height * scale)),
          resizeQuality: 'high',
        }
      : {}),
  });
}

/** A request to the worker. */
export interface DecodeRequest {
  id: number;
  url: string;
}

/** The worker's response. */
export type DecodeResponse = { id: number; bitmap: ImageBitmap } | { id: number; problem: string };
