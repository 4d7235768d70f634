// Parses a GLB into its JSON and its binary part. Nothing is copied. Accepts what viewers accept: a JSON chunk padded
// with zeros, bytes after the end, a wrong length in the header, chunks that are not aligned.
import type { Gltf } from './gltf';

/** The two parts of a GLB. */
export interface ParsedGlb {
  gltf: Gltf;
  /** The content of the first buffer. */
  binary: Uint8Array<ArrayBuffer>;
}

const MAGIC = 0x46546c67;
const JSON_CHUNK = 0x4e4f534a;
const BINARY_CHUNK = 0x004e4942;
const HEADER = 12;
const CHUNK_HEADER = 8;
const [COMMA, BRACKET, BRACE] = [0x2c, 0x5b, 0x7b];

/** Whether the bytes begin like a GLB. */
export function isGlb(file: ArrayBuffer): boolean {
  return file.byteLength >= HEADER + CHUNK_HEADER && new DataView(file).getUint32(0, true) === MAGIC;
}

/** The length in bytes of the JSON chunk as the GLB states it. */
export function glbJsonLength(file: ArrayBuffer): number {
  return new DataView(file).getUint32(HEADER, true);
}

/** Parses a GLB. Throws an error with the reason when it cannot be parsed. */
export function parseGlb(file: ArrayBuffer): ParsedGlb {
  if (!isGlb(file)) throw new Error('the file is no GLB');
  const view = new DataView(file);
  const version = view.getUint32(4, true);
  if (version < 2) throw new Error(`the file is glTF ${version}.0, and this screen shows glTF 2.0`);
  const length = glbJsonLength(file);
  const end = HEADER + CHUNK_HEADER + length;
  if (view.getUint32(HEADER + 4, true) !== JSON_CHUNK || end > file.byteLength)
    throw new Error('the GLB does not begin with its description (JSON)');
  return {
    gltf: parseGltfJson(new Uint8Array(file, HEADER + CHUNK_HEADER, length)),
    binary: readBinaryChunk(file, view, end),
  };
}

/** The most values of a description. Avatars have some ten thousands; each takes some fifty bytes of memory. */
const MAX_JSON_VALUES = 2_000_000;

/**
 * Parses the JSON of a glTF document. Bytes after it that mean nothing (zeros, blanks) are ignored. Throws an error with
 * the reason when it is none, or has so many values that they would fill the page's memory.
 */
export function parseGltfJson(bytes: Uint8Array): Gltf {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] ?? 0) <= 0x20) end -= 1;
  if (hasMoreJsonValuesThan(bytes.subarray(0, end), MAX_JSON_VALUES))
    throw new Error(`its description consists of more than ${MAX_JSON_VALUES} values`);
  let gltf: unknown;
  try {
    gltf = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
  } catch (error) {
    throw new Error(`the description in the file is no valid JSON: ${(error as Error).message}`);
  }
  if (typeof gltf !== 'object' || gltf === null || Array.isArray(gltf))
    throw new Error('the description in the file is no glTF document');
  return gltf as Gltf;
}

/**
 * Whether JSON has more than so many values, which would take too much memory once parsed. Each begins behind a comma or a bracket. Those in texts count, too: they are
 * few, also in embedded files.
 */
function hasMoreJsonValuesThan(json: Uint8Array, most: number): boolean {
  let signs = 0;
  for (const byte of json) if (byte === COMMA || byte === BRACKET || byte === BRACE) signs += 1;
  return signs > most;
}

/** The binary chunk at an offset, or at the next multiple of four; empty when there is none. */
function readBinaryChunk(file: ArrayBuffer, view: DataView, after: number): Uint8Array<ArrayBuffer> {
  const at = [after, Math.ceil(after / 4) * 4].find(
    (offset) => offset + CHUNK_HEADER <= file.byteLength && view.getUint32(offset + 4, true) === BINARY_CHUNK,
  );
  if (at === undefined) return new Uint8Array();
  const length = Math.min(view.getUint32(at, true), file.byteLength - at - CHUNK_HEADER);
  return new Uint8Array(file, at + CHUNK_HEADER, length);
}
