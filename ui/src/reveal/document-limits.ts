// Bounds the memory and the work that a document asks for. A few hundred bytes can state data of gigabytes: compressed
// ranges, ranges that overlap, and accessors that have no bytes in the file. A few megabytes can state objects that take
// minutes to draw. What Draco meshes and KTX2 textures state is in their own bytes; see `decoders.ts`.
import type { BufferGeometry, Object3D } from 'three';
import { type GltfDocumentWithBytes, imageBytes } from './avatar-file';
import {
  bytesOfStripAndFanIndices,
  checkDocumentTriangleLimit,
  countTimesMeshesAreShown,
} from './drawing-limits';
import type { Gltf, GltfBufferView, GltfPrimitive } from './gltf';
import { MAX_READ_BYTES } from './read-saved-file';

/** The most nodes, joints and parts of meshes. Avatars have hundreds; each of these costs time in every frame. */
const MAX_OBJECTS = 10_000;
/** The distances in bytes that elements of a buffer view may have in glTF 2.0. */
const [MIN_STRIDE, MAX_STRIDE] = [4, 252];
/** Four numbers of four bytes. */
const BLENDSHAPE_VERTEX_BYTES = 16;
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
  if (gltf.bufferViews?.some(hasInvalidStride))
    throw new Error(`the file is no valid glTF: a byteStride is not from ${MIN_STRIDE} to ${MAX_STRIDE}`);
  if (decodedGeometryBytes(gltf) > MAX_READ_BYTES)
    throw new Error(`its meshes unpack to more than ${MAX_READ_BYTES} bytes`);
  if (bytesOfCopiedBufferViews(gltf) > MAX_READ_BYTES)
    throw new Error(`its overlapping ranges of bytes have more than ${MAX_READ_BYTES} bytes together`);
  if (countLoadedObjects(gltf) > MAX_OBJECTS)
    throw new Error(`it consists of more than ${MAX_OBJECTS} nodes, joints and parts of meshes`);
  checkDocumentTriangleLimit(gltf);
}

/**
 * Throws an error with the reason when the images of a file would fill the page's memory: each is copied when it is
 * decoded, also if several have the same bytes.
 */
export function checkImageLimits(file: GltfDocumentWithBytes): void {
  const bytes = (file.gltf.images ?? []).reduce(
    (all, _, i) => all + (imageBytes(file, i)?.byteLength ?? 0),
    0,
  );
  if (bytes > MAX_READ_BYTES) throw new Error(`its images have more than ${MAX_READ_BYTES} bytes together`);
}

/**
 * Throws an error with the reason when a document that `prepareGltf` has prepared has blendshapes that would fill the
 * page's memory. Those that are removed do not count.
 */
export function checkPreparedGltfBlendshapeLimits(gltf: Gltf): void {
  if (blendshapeTextureBytes(gltf) > MAX_READ_BYTES)
    throw new Error(`its blendshapes unpack to more than ${MAX_READ_BYTES} bytes`);
}

/**
 * Throws an error with the reason when a loaded model has blendshapes that would fill the page's memory: a Draco mesh may
 * have more vertices than its document says.
 */
export function checkLoadedModelBlendshapeLimits(model: Object3D): void {
  const geometries = new Set<BufferGeometry>();
  model.traverse((object) => {
    const { geometry } = object as { geometry?: BufferGeometry };
    if (geometry) geometries.add(geometry);
  });
  let bytes = 0;
  for (const { attributes, morphAttributes } of geometries) {
    const { position = [], normal = [], color = [] } = morphAttributes;
    const parts = color.length > 0 ? 3 : normal.length > 0 ? 2 : 1;
    const targets = Math.max(position.length, normal.length, color.length);
    bytes += productOfSizesOrZero(attributes.position?.count, targets, parts, BLENDSHAPE_VERTEX_BYTES);
  }
  if (bytes > MAX_READ_BYTES) throw new Error(`its blendshapes unpack to more than ${MAX_READ_BYTES} bytes`);
}

/**
 * The size in bytes of the geometry that a glTF document decodes to. Accessors may share the bytes of the
 * file; each is copied. Three.js makes lists of triangles of strips and fans.
 */
function decodedGeometryBytes(gltf: Gltf): number {
  const unpacked = (gltf.bufferViews ?? []).reduce((all, view) => all + decompressedBytesOfView(view), 0);
  return Math.max(unpacked, bytesOfAccessors(gltf)) + bytesOfStripAndFanIndices(gltf);
}

/**
 * The bytes of the values of all accessors. Where values of several are interleaved, three.js uploads the whole range,
 * once for accessors with the same one. The key is the one that it keeps them by.
 */
function bytesOfAccessors({ accessors, bufferViews }: Gltf): number {
  const ranges = new Set<string>();
  let bytes = 0;
  for (const { count, type, componentType, bufferView, byteOffset, sparse } of accessors ?? []) {
    const element = (COMPONENT_COUNTS[type ?? ''] ?? 16) * (COMPONENT_BYTES[componentType ?? 0] ?? 4);
    const stride = bufferViews?.[bufferView ?? -1]?.byteStride || element;
    const range = [bufferView, componentType, Math.floor((byteOffset ?? 0) / stride), count].join();
    // Where a sparse accessor replaces values, it does so in a copy of its own.
    if (stride !== element && !sparse) {
      if (ranges.has(range)) continue;
      ranges.add(range);
    }
    bytes += productOfSizesOrZero(count, Math.max(stride, element));
  }
  return bytes;
}

/** Whether a view has a distance of its elements that glTF forbids. Some files have a zero in place of none. */
function hasInvalidStride({ byteStride }: GltfBufferView): boolean {
  if (!byteStride) return false;
  return !Number.isInteger(byteStride) || byteStride < MIN_STRIDE || byteStride > MAX_STRIDE;
}

/**
 * The bytes of the file that are copied: each view that is used, and an image's view once for each image. Only those that
 * overlap can have more than the file.
 */
function bytesOfCopiedBufferViews({ accessors, bufferViews, meshes, images }: Gltf): number {
  const meshViews = new Set<number | undefined>();
  for (const { bufferView, sparse } of accessors ?? [])
    meshViews.add(bufferView).add(sparse?.indices?.bufferView).add(sparse?.values?.bufferView);
  for (const { primitives } of meshes ?? [])
    for (const { extensions } of primitives)
      meshViews.add(
        (extensions?.KHR_draco_mesh_compression as { bufferView?: number } | undefined)?.bufferView,
      );
  const used = [...meshViews, ...(images ?? []).map(({ bufferView }) => bufferView)];
  return used.reduce<number>(
    (all, view) => all + productOfSizesOrZero(bufferViews?.[view ?? -1]?.byteLength),
    0,
  );
}

/**
 * The size in bytes of the textures in which three.js puts the blendshapes: `BLENDSHAPE_VERTEX_BYTES` for each vertex,
 * twice with normals, three times with colours.
 */
function blendshapeTextureBytes({ accessors, meshes }: Gltf): number {
  const bytes = ({ attributes, targets = [] }: GltfPrimitive) => {
    const hasMoved = (name: string) => targets.some((one) => name in one);
    const parts = hasMoved('COLOR_0') ? 3 : hasMoved('NORMAL') ? 2 : 1;
    return productOfSizesOrZero(
      accessors?.[attributes?.POSITION ?? -1]?.count,
      targets.length,
      parts,
      BLENDSHAPE_VERTEX_BYTES,
    );
  };
  return (meshes ?? [])
    .flatMap(({ primitives }) => primitives)
    .reduce((all, primitive) => all + bytes(primitive), 0);
}

/**
 * The number of objects that are loaded: parts of a mesh once for each node or instance that shows it. Meshes and their
 * parts count, too, if nothing shows them.
 */
function countLoadedObjects(gltf: Gltf): number {
  const { nodes, skins, meshes } = gltf;
  const times = countTimesMeshesAreShown(gltf);
  let [parts, shown] = [0, nodes?.length ?? 0];
  meshes?.forEach(({ primitives }, mesh) => {
    parts += 1 + primitives.length;
    shown += primitives.length * (times.get(mesh) ?? 0);
  });
  for (const { joints } of skins ?? []) shown += joints?.length ?? 0;
  // A valid document has fewer children than nodes.
  const children = (nodes ?? []).reduce((all, node) => all + (node.children?.length ?? 0), 0);
  return Math.max(parts, shown, children);
}

/** The size in bytes that a view has after decompression; 0 if it is not compressed. */
function decompressedBytesOfView({ extensions }: GltfBufferView): number {
  const found = extensions?.EXT_meshopt_compression ?? extensions?.KHR_meshopt_compression;
  const { count, byteStride } = (found ?? {}) as { count?: unknown; byteStride?: unknown };
  return productOfSizesOrZero(count, byteStride);
}

/** The product of sizes; 0 if one of them is no positive number. */
function productOfSizesOrZero(...factors: unknown[]): number {
  const sizes = factors.map(Number);
  return sizes.every((size) => size > 0) ? sizes.reduce((all, size) => all * size, 1) : 0;
}
