// A picture as the graphics card takes it.
import { readImageSize } from './image-size';

/** No texture is drawn larger than this on any screen: more would only fill the card. */
export const MAX_TEXTURE_SIZE = 2048;

/** Fetches and decodes a picture, no larger than need be. */
export async function decodeBitmap(url: string): Promise<ImageBitmap> {
  const bytes = await (await fetch(url)).arrayBuffer();
  const size = readImageSize(new Uint8Array(bytes));
  const scale = size ? MAX_TEXTURE_SIZE / Math.max(size.width, size.height) : 1;
  return createImageBitmap(new Blob([bytes]), {
    // As glTF asks: the numbers in the picture, and nothing else.
    premultiplyAlpha: 'none',
    colorSpaceConversion: 'none',
    ...(size && scale < 1
      ? {
          resizeWidth: Math.max(1, Math.round(size.width * scale)),
          resizeHeight: Math.max(1, Math.round(size.height * scale)),
          resizeQuality: 'high',
        }
      : {}),
  });
}

/** Asked of the worker. */
export interface DecodeRequest {
  id: number;
  url: string;
}

/** Its answer. */
export type DecodeResponse = { id: number; bitmap: ImageBitmap } | { id: number; problem: string };
