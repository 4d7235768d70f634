// Bounds the memory that the KTX2 textures of an avatar unpack to. A file of 32 kB can state a gigabyte, and the decoders
// reserve what it states.
import { MAX_DECODED_PIXELS } from './bitmap-budget';
import { MAX_READ_BYTES } from './read-saved-file';

const LEVEL_INDEX_OFFSET = 80;
const LEVEL_ENTRY_BYTES = 24;
/** Value of the header's field `supercompressionScheme`. */
const ZSTANDARD = 2;

/** The size of a texture after decompression, as its header states it. */
interface UnpackedKtx2Size {
  /** Pixels of the largest mipmap, in all of its layers, faces and slices. */
  pixels: number;
  /** Bytes of all mipmaps, at least one for each pixel. */
  bytes: number;
}

/** Limits the bytes to which the KTX2 textures of one avatar unpack. */
export class Ktx2Budget {
  #leftBytes = MAX_READ_BYTES;

  /** Counts a texture. Throws an error with the reason when it must not be decoded. */
  countTexture(file: Uint8Array): void {
    const size = readKtx2Size(file);
    if (!size) throw new Error('the size of a KTX2 texture is unknown');
    if (!(size.pixels <= MAX_DECODED_PIXELS))
      throw new Error(`a KTX2 texture of ${size.pixels} pixels is too large to be shown`);
    if (!(size.bytes <= this.#leftBytes))
      throw new Error(`the KTX2 textures unpack to more than ${MAX_READ_BYTES} bytes`);
    this.#leftBytes -= size.bytes;
  }
}

/** The stated size; null when it is not stated, or the header is cut off. */
function readKtx2Size(file: Uint8Array): UnpackedKtx2Size | null {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  try {
    const [width = 0, height = 0, depth = 0, layers = 0, faces = 0, levels = 0, scheme = 0] = Array.from(
      { length: 7 },
      (_, i) => view.getUint32(20 + 4 * i, true),
    );
    const pixels = [width, height, depth, layers, faces].reduce((all, side) => all * Math.max(1, side), 1);
    let stated = 0;
    for (let level = 0; level < Math.max(1, levels); level += 1) {
      const entry = LEVEL_INDEX_OFFSET + LEVEL_ENTRY_BYTES * level;
      const bytes = Number(view.getBigUint64(entry + 16, true));
      // Then the decoder would believe the compressed data.
      if (bytes === 0 && scheme === ZSTANDARD) return null;
      stated += bytes;
    }
    // Basis textures state no size. They are transcoded to about one byte for each pixel.
    return { pixels, bytes: Math.max(stated, pixels) };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
