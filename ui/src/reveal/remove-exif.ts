// Hides the Exif data of an image from its decoder. Browsers turn an image by the orientation in it, but the texture
// coordinates of a model refer to the pixels as they are stored: modelling tools and game engines ignore Exif.
import { jpegSegments } from './image-size';

/**
 * The same image without Exif data. JPEG, PNG and WebP; other formats store no orientation outside the picture itself.
 * The bytes may be changed in place.
 */
export function removeExif(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (view.getUint16(0) === 0xffd8) return renameExifSegmentOfJpeg(bytes, view);
    if (view.getUint32(0) === 0x89504e47) return cutExifOfPng(bytes, view);
    if (view.getUint32(0) === RIFF && view.getUint32(8) === WEBP) return renameExifChunkOfWebp(bytes, view);
  } catch (error) {
    // A truncated image: the decoder decides.
    if (!(error instanceof RangeError)) throw error;
  }
  return bytes;
}

const RIFF = 0x52494646;
const WEBP = 0x57454250;
const EXIF = 0x45786966;

/** Renames the segment that begins with `Exif`. */
function renameExifSegmentOfJpeg(bytes: Uint8Array<ArrayBuffer>, view: DataView): Uint8Array<ArrayBuffer> {
  for (const { marker, at } of jpegSegments(view))
    if (marker === 0xe1 && view.getUint32(at + 4) === EXIF) bytes.fill(0, at + 4, at + 8);
  return bytes;
}

/** Cuts out the chunk `eXIf`: its checksum would not fit any more if it were changed. */
function cutExifOfPng(bytes: Uint8Array<ArrayBuffer>, view: DataView): Uint8Array<ArrayBuffer> {
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + view.getUint32(at);
    if (view.getUint32(at + 4) === 0x65584966) {
      const left = new Uint8Array(bytes.length - (end - at));
      left.set(bytes.subarray(0, at));
      left.set(bytes.subarray(end), at);
      return left;
    }
    at = end;
  }
  return bytes;
}

/** Renames the chunk `EXIF`, and clears the flag that announces it. */
function renameExifChunkOfWebp(bytes: Uint8Array<ArrayBuffer>, view: DataView): Uint8Array<ArrayBuffer> {
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = view.getUint32(at);
    if (name === 0x56503858) view.setUint8(at + 8, view.getUint8(at + 8) & ~0x08);
    if (name === 0x45584946) view.setUint32(at, 0x6e6f6e65);
    const length = view.getUint32(at + 4, true);
    at += 8 + length + (length % 2);
  }
  return bytes;
}
