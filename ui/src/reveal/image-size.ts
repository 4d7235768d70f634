// Reads the size of an image from its first bytes: PNG, JPEG, WebP, AVIF and KTX2, the formats of glTF
// and its extensions.

/** Width and height of an image, in pixels. */
export interface ImageSize {
  width: number;
  height: number;
}

/** The size in the image's header; null for unknown or truncated data. */
export function readImageSize(bytes: Uint8Array): ImageSize | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (view.getUint32(0) === 0x89504e47) return { width: view.getUint32(16), height: view.getUint32(20) };
    if (view.getUint16(0) === 0xffd8) return readJpegSize(view);
    if (view.getUint32(0) === 0x52494646 && view.getUint32(8) === 0x57454250) return readWebpSize(view);
    if (view.getUint32(0) === 0xab4b5458 && view.getUint32(4) === 0x203230bb)
      return { width: view.getUint32(20, true), height: view.getUint32(24, true) };
    if (view.getUint32(4) === 0x66747970) return readAvifSize(view);
    return null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** The size in the first start-of-frame segment of a JPEG; null if a segment is not where it must be. */
function readJpegSize(view: DataView): ImageSize | null {
  for (let at = 2; ; ) {
    if (view.getUint8(at) !== 0xff) return null;
    const marker = view.getUint8(at + 1);
    // Any start-of-frame marker. The three exceptions have another meaning.
    const frame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (frame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
}

function readWebpSize(view: DataView): ImageSize | null {
  const three = (at: number) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
  switch (view.getUint32(12)) {
    case 0x56503858: // VP8X
      return { width: three(24) + 1, height: three(27) + 1 };
    case 0x5650384c: {
      // VP8L
      const bits = view.getUint32(21, true);
      return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
    }
    case 0x56503820: // VP8
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
    default:
      return null;
  }
}

/** The largest size that a property of an AVIF states (`ispe`): that of the whole image. */
function readAvifSize(view: DataView): ImageSize | null {
  let largest: ImageSize | null = null;
  // The properties are in the boxes at the beginning.
  const end = Math.min(view.byteLength - 16, 4096);
  for (let at = 8; at < end; at += 1) {
    if (view.getUint32(at) !== 0x69737065) continue;
    const size = { width: view.getUint32(at + 8), height: view.getUint32(at + 12) };
    if (size.width * size.height > (largest ? largest.width * largest.height : 0)) largest = size;
  }
  return largest;
}
