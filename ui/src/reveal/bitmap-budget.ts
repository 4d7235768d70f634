// Bounds the memory of the images of an avatar together. Each may be small in the file, and within the limits alone.

/** Pixels of the largest image that is decoded. It is decoded as a whole before it is scaled down, with 4 bytes each. */
export const MAX_DECODED_PIXELS = 8192 * 8192;

/** Pixels of all scaled images of an avatar together: 512 MB. An avatar has about ten images of at most 4 million. */
const MAX_KEPT_PIXELS = 2 * MAX_DECODED_PIXELS;

/** Limits the pixels of the decoded images of one avatar: of all together, and of those in decoding at once. */
export class BitmapBudget {
  #leftPixels = MAX_KEPT_PIXELS;
  #decodingPixels = 0;
  readonly #decoding = new Set<Promise<unknown>>();

  /**
   * Decodes an image of `decodedPixels`, of which `keptPixels` are left after it was scaled. Waits while others are
   * decoded that take `MAX_DECODED_PIXELS` together with it. Rejects when all images together have too many pixels.
   */
  async decode<T>(decodedPixels: number, keptPixels: number, decode: () => Promise<T>): Promise<T> {
    if (keptPixels > this.#leftPixels)
      throw new Error(`the images of the avatar have more than ${MAX_KEPT_PIXELS} pixels together`);
    this.#leftPixels -= keptPixels;
    while (this.#decoding.size > 0 && this.#decodingPixels + decodedPixels > MAX_DECODED_PIXELS)
      await Promise.race(this.#decoding);
    this.#decodingPixels += decodedPixels;
    const running = Promise.resolve().then(decode);
    const ended = running.then(
      () => {},
      () => {},
    );
    this.#decoding.add(ended);
    try {
      return await running;
    } finally {
      this.#decoding.delete(ended);
      this.#decodingPixels -= decodedPixels;
    }
  }
}
