// Reads the size of the pictures in an AVIF from their coded data. What the boxes around them state decides only how
// they are shown: a decoder reserves the coded size first.
import type { ImageSize } from './image-size';

/** Ranges of an AVIF in bytes from the start of the file, as its boxes locate them. */
export interface AvifItemByteRanges {
  /** The content of `iinf`: the types of the items. */
  types: DataView;
  /** The content of `iloc`: where the items are. */
  places: DataView;
  /** The content of `idat`, in which items may be. */
  data: DataView | null;
}

const AV01 = 0x61763031;
const SEQUENCE_HEADER = 1;
/** The most parts of coded data that are looked at. An image has some ten. */
const MAX_PARTS = 10_000;

/**
 * The largest size of the pictures in an AVIF; null when it is unknown: no picture is found, or one is described in a way
 * that no encoder of images uses. Throws a `RangeError` where the file ends too early.
 */
export function readLargestCodedSize(file: DataView, items: AvifItemByteRanges): ImageSize | null {
  const pictures = readAv1PictureItemIds(items.types);
  let largest: ImageSize | null = null;
  let left = MAX_PARTS;
  for (const { id, range } of readAvifItemsWithBytes(items, file)) {
    if (!pictures.has(id)) continue;
    if (!range) return null;
    for (const { type, content } of codedParts(range)) {
      left -= 1;
      if (left < 0) return null;
      if (type !== SEQUENCE_HEADER) continue;
      const size = readSequenceMaxFrameSize(content);
      if (!size) return null;
      if (!largest || size.width * size.height > largest.width * largest.height) largest = size;
    }
  }
  return largest;
}

/** The ids of the items that are pictures in AV1. */
function readAv1PictureItemIds(types: DataView): Set<number> {
  const found = new Set<number>();
  for (let at = types.getUint8(0) === 0 ? 6 : 8; at + 8 <= types.byteLength; ) {
    const size = types.getUint32(at);
    const isLong = types.getUint8(at + 8) > 2;
    const id = isLong ? types.getUint32(at + 12) : types.getUint16(at + 12);
    if (types.getUint32(at + (isLong ? 18 : 16)) === AV01) found.add(id);
    if (size < 8) break;
    at += size;
  }
  return found;
}

/** An item, and its bytes; null when they are not in one place of this file. */
interface AvifItemWithBytes {
  id: number;
  range: DataView | null;
}

/** The items with their bytes. */
function* readAvifItemsWithBytes(
  { places, data }: AvifItemByteRanges,
  file: DataView,
): Generator<AvifItemWithBytes> {
  const version = places.getUint8(0);
  let at = 4;
  const read = (bytes: number) => {
    let value = 0;
    for (const end = at + bytes; at < end; at += 1) value = value * 256 + places.getUint8(at);
    return value;
  };
  const [sizes, more] = [read(1), read(1)];
  const [offsetBytes, lengthBytes, baseBytes] = [sizes >> 4, sizes & 15, more >> 4];
  const indexBytes = version === 0 ? 0 : more & 15;
  const idBytes = version < 2 ? 2 : 4;
  for (let left = read(idBytes); left > 0; left -= 1) {
    const id = read(idBytes);
    const method = version === 0 ? 0 : read(2) & 15;
    const otherFile = read(2);
    const base = read(baseBytes);
    const extents = read(2);
    let range: DataView | null = null;
    for (let i = 0; i < extents; i += 1) {
      read(indexBytes);
      const [offset, length] = [base + read(offsetBytes), read(lengthBytes)];
      const whole = method === 0 ? file : method === 1 ? data : null;
      const isPlain = extents === 1 && otherFile === 0 && whole !== null && offset <= whole.byteLength;
      // Without a length it reaches to the end.
      if (isPlain) range = viewClampedToEnd(whole, offset, length || whole.byteLength - offset);
    }
    yield { id, range };
  }
}

/** A part of bytes, as far as they reach. */
function viewClampedToEnd(bytes: DataView, offset: number, length: number): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + offset, Math.min(length, bytes.byteLength - offset));
}

/** A part of coded data (an OBU of AV1). */
interface Av1Obu {
  type: number;
  content: DataView;
}

/** The parts of coded data, until one is not complete. */
function* codedParts(bytes: DataView): Generator<Av1Obu> {
  for (let at = 0; at < bytes.byteLength; ) {
    const header = bytes.getUint8(at);
    at += header & 4 ? 2 : 1;
    let length = bytes.byteLength - at;
    if (header & 2) {
      length = 0;
      for (let factor = 1; ; factor *= 128) {
        const byte = bytes.getUint8(at++);
        length += (byte & 0x7f) * factor;
        if (byte < 0x80) break;
      }
    }
    if (length < 0 || at + length > bytes.byteLength) return;
    yield { type: (header >> 3) & 15, content: viewClampedToEnd(bytes, at, length) };
    at += length;
  }
}

/** The largest frame of a sequence; null for one with times, which only films have. */
function readSequenceMaxFrameSize(content: DataView): ImageSize | null {
  let at = 0;
  const read = (bits: number) => {
    let value = 0;
    for (const end = at + bits; at < end; at += 1)
      value = value * 2 + ((content.getUint8(at >> 3) >> (7 - (at & 7))) & 1);
    return value;
  };
  read(4); // Profile, and whether it is a still picture.
  if (read(1) === 1) read(5);
  else {
    if (read(1) === 1) return null;
    const hasDelays = read(1) === 1;
    for (let left = read(5) + 1; left > 0; left -= 1) {
      read(12);
      if (read(5) > 7) read(1);
      if (hasDelays && read(1) === 1) read(4);
    }
  }
  const [widthBits, heightBits] = [read(4) + 1, read(4) + 1];
  return { width: read(widthBits) + 1, height: read(heightBits) + 1 };
}
