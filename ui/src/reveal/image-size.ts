// Reads the size of an image from its first bytes: PNG, JPEG, WebP, AVIF and KTX2, the formats of glTF
// and its extensions.
import { type AvifItemByteRanges, readLargestCodedSize } from './av1-size';

/** Width and height of an image, in pixels. */
export interface ImageSize {
  width: number;
  height: number;
}

/** The size in the image's header; null for unknown, malformed or truncated data. */
export function readImageSize(bytes: Uint8Array): ImageSize | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const size = readHeaderSizeBySignature(view);
    return size && size.width > 0 && size.height > 0 ? size : null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** The size in the header, by the signature of the format; null for other formats. */
function readHeaderSizeBySignature(view: DataView): ImageSize | null {
  if (view.getUint32(0) === 0x89504e47) return readPngSize(view);
  if (view.getUint16(0) === 0xffd8) return readJpegSize(view);
  if (view.getUint32(0) === 0x52494646 && view.getUint32(8) === 0x57454250) return readWebpSize(view);
  if (view.getUint32(0) === 0xab4b5458 && view.getUint32(4) === 0x203230bb)
    return { width: view.getUint32(20, true), height: view.getUint32(24, true) };
  if (view.getUint32(4) === FTYP) return readAvifSize(view);
  return null;
}

/** The size in the first chunk of a PNG; null if that is another one, which decoders may skip. */
function readPngSize(view: DataView): ImageSize | null {
  if (view.getUint32(12) !== 0x49484452) return null;
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** The size in the first start-of-frame segment of a JPEG. */
function readJpegSize(view: DataView): ImageSize | null {
  for (const { marker, at } of jpegSegments(view)) {
    // Any start-of-frame marker. The three exceptions have another meaning.
    const frame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (frame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
  }
  return null;
}

/** A segment of a JPEG. */
export interface JpegSegment {
  marker: number;
  /** Where its marker begins, in bytes from the start of the file. */
  at: number;
}

/**
 * The segments of a JPEG before its pixels. As decoders do, it skips bytes between them that mean nothing. Throws a
 * `RangeError` where the file ends too early.
 */
export function* jpegSegments(view: DataView): Generator<JpegSegment> {
  for (let at = 2; ; ) {
    const marker = view.getUint8(at + 1);
    if (view.getUint8(at) !== 0xff || marker === 0xff || marker === 0) {
      at += 1;
      continue;
    }
    // The pixels, or the end.
    if (marker === 0xda || marker === 0xd9) return;
    yield { marker, at };
    const hasNoContent = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
    at += hasNoContent ? 2 : 2 + view.getUint16(at + 2);
  }
}

/** The size in the first chunk of a WebP: with features, lossless or lossy. */
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

const [FTYP, MOOV, META] = [0x66747970, 0x6d6f6f76, 0x6d657461];
const [IPRP, IPCO, ISPE] = [0x69707270, 0x6970636f, 0x69737065];
const [IINF, ILOC, IDAT] = [0x69696e66, 0x696c6f63, 0x69646174];

/** A box of an AVIF: where its content begins and ends, in bytes from the start of the file. */
interface IsoBox {
  type: number;
  start: number;
  end: number;
}

/**
 * The largest size of an AVIF: that a property states (`ispe`), as that of the whole image, or that a picture in it has.
 * Null for an image sequence, whose size is elsewhere, and when the size of a picture is unknown.
 */
function readAvifSize(view: DataView): ImageSize | null {
  const sizes: ImageSize[] = [];
  const found: Partial<AvifItemByteRanges> & { isFilm?: boolean } = {};
  const read = (from: number, until: number): void => {
    for (const { type, start, end } of isoBoxes(view, from, until)) {
      const content = () => new DataView(view.buffer, view.byteOffset + start, end - start);
      // After their version and flags.
      if (type === META) read(start + 4, end);
      else if (type === IPRP || type === IPCO) read(start, end);
      else if (type === ISPE)
        sizes.push({ width: view.getUint32(start + 4), height: view.getUint32(start + 8) });
      else if (type === IINF) found.types = content();
      else if (type === ILOC) found.places = content();
      else if (type === IDAT) found.data = content();
      else if (type === MOOV) found.isFilm = true;
    }
  };
  read(0, view.byteLength);
  const { types, places, data = null } = found;
  if (found.isFilm || sizes.length === 0 || !types || !places) return null;
  const coded = readLargestCodedSize(view, { types, places, data });
  return coded && [...sizes, coded].reduce((a, b) => (b.width * b.height > a.width * a.height ? b : a));
}

/** The boxes in a range of bytes, until one is not complete. */
function* isoBoxes(view: DataView, from: number, until: number): Generator<IsoBox> {
  for (let at = from; at + 8 <= until; ) {
    let size = view.getUint32(at);
    let header = 8;
    if (size === 1) {
      size = Number(view.getBigUint64(at + 8));
      header = 16;
    } else if (size === 0) size = until - at;
    if (size < header || at + size > until) return;
    yield { type: view.getUint32(at + 4), start: at + header, end: at + size };
    at += size;
  }
}
