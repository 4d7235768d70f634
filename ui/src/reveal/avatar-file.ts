// An avatar's glTF document together with the bytes that it refers to, wherever they were: in the GLB, in the document
// itself (data: URLs), or beside it in a zip archive.
import type { Gltf } from './gltf';

/** A glTF document with its bytes. */
export interface GltfDocumentWithBytes {
  gltf: Gltf;
  /** The content of each buffer; null for one that is not in the file. */
  buffers: (Uint8Array<ArrayBuffer> | null)[];
  /** The content of the images that are not in a buffer, by their index. */
  images: Map<number, Uint8Array<ArrayBuffer>>;
}

/** Finds a file by the name that the document gives it; null if there is none. */
export type FileFinder = (name: string) => Uint8Array<ArrayBuffer> | null;

/**
 * Joins a glTF document with the bytes of its buffers and images. data: URLs are removed from the document: they may
 * be most of the file, and nothing needs them twice.
 */
export function assembleAvatarFile(
  gltf: Gltf,
  binary: Uint8Array<ArrayBuffer>,
  findFile: FileFinder = () => null,
): GltfDocumentWithBytes {
  const read = (uri: string) => (uri.startsWith('data:') ? decodeDataUrl(uri) : findFile(uri));
  const buffers = (gltf.buffers ?? [{}]).map(({ uri }, i) =>
    uri === undefined ? (i === 0 ? binary : null) : read(uri),
  );
  const images: GltfDocumentWithBytes['images'] = new Map();
  gltf.images?.forEach((image, i) => {
    const bytes = image.uri === undefined ? null : read(image.uri);
    if (bytes) images.set(i, bytes);
  });
  const withoutData = <T extends { uri?: string }>(all: T[]) =>
    all.map((one) => (one.uri?.startsWith('data:') ? { ...one, uri: 'data:' } : one));
  return {
    gltf: {
      ...gltf,
      ...(gltf.buffers ? { buffers: withoutData(gltf.buffers) } : {}),
      ...(gltf.images ? { images: withoutData(gltf.images) } : {}),
    },
    buffers,
    images,
  };
}

/** The bytes of a buffer view; null when they are not in the file. */
export function bufferViewBytes(file: GltfDocumentWithBytes, index: number): Uint8Array<ArrayBuffer> | null {
  const view = file.gltf.bufferViews?.[index];
  return view ? viewOfBufferRange(file, view) : null;
}

/** A range of a buffer's bytes; null when it is not in the file. */
export function viewOfBufferRange(
  { buffers }: GltfDocumentWithBytes,
  {
    buffer = 0,
    byteOffset = 0,
    byteLength = 0,
  }: { buffer?: number; byteOffset?: number; byteLength?: number },
): Uint8Array<ArrayBuffer> | null {
  const bytes = buffers[buffer];
  if (!bytes || byteOffset + byteLength > bytes.length) return null;
  return bytes.subarray(byteOffset, byteOffset + byteLength);
}

/** The bytes of an image as it is stored; null when they are not in the file. */
export function imageBytes(file: GltfDocumentWithBytes, index: number): Uint8Array<ArrayBuffer> | null {
  const view = file.gltf.images?.[index]?.bufferView;
  return view === undefined ? (file.images.get(index) ?? null) : bufferViewBytes(file, view);
}

/** The content of a data: URL; null when it cannot be decoded. */
function decodeDataUrl(url: string): Uint8Array<ArrayBuffer> | null {
  const comma = url.indexOf(',');
  const content = url.slice(comma + 1);
  try {
    if (!/;base64$/i.test(url.slice(0, comma))) return new TextEncoder().encode(decodeURIComponent(content));
    const text = atob(content.includes('%') ? decodeURIComponent(content) : content);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
    return bytes;
  } catch {
    return null;
  }
}
