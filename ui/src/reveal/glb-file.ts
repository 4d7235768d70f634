// Parses a GLB into its JSON and its binary part. Nothing is copied.

/** The parts of a glTF document that are read. All may be missing: the file comes from elsewhere. */
export interface Gltf {
  asset?: { version?: string };
  meshes?: GltfMesh[];
  nodes?: { mesh?: number; skin?: number; weights?: number[] }[];
  skins?: { joints?: number[] }[];
  materials?: unknown[];
  textures?: unknown[];
  images?: { bufferView?: number; uri?: string }[];
  accessors?: { count?: number }[];
  bufferViews?: { buffer?: number; byteOffset?: number; byteLength?: number; extensions?: unknown }[];
  animations?: unknown;
}

/** A mesh of a glTF document. */
export interface GltfMesh {
  primitives: {
    attributes?: Record<string, number>;
    indices?: number;
    mode?: number;
    targets?: unknown[];
  }[];
  weights?: number[];
  extras?: { targetNames?: unknown };
}

/** The two parts of a GLB. */
export interface ParsedGlb {
  gltf: Gltf;
  /** The content of the first buffer. */
  binary: Uint8Array;
}

const MAGIC = 0x46546c67;
const JSON_CHUNK = 0x4e4f534a;
const BINARY_CHUNK = 0x004e4942;
const HEADER = 12;
const CHUNK_HEADER = 8;

/** Parses a GLB. Throws when the file is none. */
export function parseGlb(file: ArrayBuffer): ParsedGlb {
  const view = new DataView(file);
  if (file.byteLength < HEADER + CHUNK_HEADER || view.getUint32(0, true) !== MAGIC)
    throw new Error('the avatar’s file is no GLB');
  const length = view.getUint32(HEADER, true);
  const end = HEADER + CHUNK_HEADER + length;
  if (view.getUint32(HEADER + 4, true) !== JSON_CHUNK || end > file.byteLength)
    throw new Error('the avatar’s GLB does not begin with its description');
  const json = new TextDecoder().decode(new Uint8Array(file, HEADER + CHUNK_HEADER, length));
  return { gltf: JSON.parse(json) as Gltf, binary: readBinaryChunk(file, view, end) };
}

/** The bytes of a buffer view; null when they are not in the file. */
export function bufferViewBytes({ gltf, binary }: ParsedGlb, bufferView: number): Uint8Array | null {
  const of = gltf.bufferViews?.[bufferView];
  if (!of || (of.buffer ?? 0) !== 0) return null;
  const from = of.byteOffset ?? 0;
  const to = from + (of.byteLength ?? 0);
  return to > binary.length ? null : binary.subarray(from, to);
}

/** The binary chunk at an offset; empty when there is none. */
function readBinaryChunk(file: ArrayBuffer, view: DataView, at: number): Uint8Array {
  if (at + CHUNK_HEADER > file.byteLength || view.getUint32(at + 4, true) !== BINARY_CHUNK)
    return new Uint8Array();
  const length = Math.min(view.getUint32(at, true), file.byteLength - at - CHUNK_HEADER);
  return new Uint8Array(file, at + CHUNK_HEADER, length);
}
