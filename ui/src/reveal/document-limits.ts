// Bounds the memory and the work that a document asks for. A few hundred bytes can state data of gigabytes: compressed
// ranges, and accessors that have no bytes in the file. A few megabytes can state objects that take minutes to draw.
import type { Gltf, GltfBufferView, GltfNode } from './gltf';
import { MAX_READ_BYTES } from './read-saved-file';

/** The most nodes, joints and parts of meshes. Avatars have hundreds; each of these costs time in every frame. */
const MAX_OBJECTS = 10_000;
const COMPONENT_BYTES: Record<number, number> = { 5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4 };
const COMPONENT_COUNTS: Record<string, number> = {
  SCALAR: 1,
  VEC2: 2,
  VEC3: 3,
  VEC4: 4,
  MAT2: 4,
  MAT3: 9,
  MAT4: 16,
};

/** Throws an error with the reason when the document would fill the page's memory or block the screen. */
export function checkDocumentLimits(gltf: Gltf): void {
  if (decodedGeometryBytes(gltf) > MAX_READ_BYTES)
    throw new Error(`its meshes unpack to more than ${MAX_READ_BYTES} bytes`);
  if (objectCount(gltf) > MAX_OBJECTS)
    throw new Error(`it consists of more than ${MAX_OBJECTS} nodes, joints and parts of meshes`);
}

/**
 * The size in bytes of the geometry that a glTF document decodes to. Accessors may share the bytes of the
 * file; each is copied.
 */
function decodedGeometryBytes({ accessors, bufferViews }: Gltf): number {
  const unpacked = (bufferViews ?? []).reduce((all, view) => all + meshoptSize(view), 0);
  const copied = (accessors ?? []).reduce(
    (all, { count, type, componentType }) =>
      all + product(count, COMPONENT_COUNTS[type ?? ''] ?? 16, COMPONENT_BYTES[componentType ?? 0] ?? 4),
    0,
  );
  return Math.max(unpacked, copied);
}

/** The number of objects that are loaded: parts of a mesh once for each node that shows it. */
function objectCount({ nodes, skins, meshes }: Gltf): number {
  const parts = ({ mesh }: GltfNode) => (mesh === undefined ? 0 : (meshes?.[mesh]?.primitives?.length ?? 0));
  const joints = (skins ?? []).reduce((all, skin) => all + (skin.joints?.length ?? 0), 0);
  const shown = (nodes ?? []).reduce((all, node) => all + 1 + parts(node), joints);
  // A valid document has fewer children than nodes.
  const children = (nodes ?? []).reduce((all, node) => all + (node.children?.length ?? 0), 0);
  return Math.max(shown, children);
}

/** The size in bytes that a view has after decompression; 0 if it is not compressed. */
function meshoptSize({ extensions }: GltfBufferView): number {
  const found = extensions?.EXT_meshopt_compression ?? extensions?.KHR_meshopt_compression;
  const { count, byteStride } = (found ?? {}) as { count?: unknown; byteStride?: unknown };
  return product(count, byteStride);
}

/** The product of sizes; 0 if one of them is no positive number. */
function product(...factors: unknown[]): number {
  const sizes = factors.map(Number);
  return sizes.every((size) => size > 0) ? sizes.reduce((all, size) => all * size, 1) : 0;
}
