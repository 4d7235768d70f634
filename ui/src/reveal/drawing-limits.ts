// Bounds the triangles of an avatar. A few bytes can state many: nodes, instances and parts of meshes may share theirs.
import type { BufferGeometry, Object3D } from 'three';
import type { Gltf, GltfPrimitive } from './gltf';

/** The most triangles of a frame. Avatars have a hundred thousand. */
const MAX_DRAWN_TRIANGLES = 10_000_000;
/** Three indices of four bytes. */
const TRIANGLE_BYTES = 12;
/** Values of `mode` of a primitive. */
const [STRIP, FAN] = [5, 6];

/**
 * Throws an error with the reason when a document states so many triangles that making or drawing them would block the
 * screen. Meshes count once for each node or instance that shows them, and once if none does.
 */
export function checkDocumentTriangleLimit(gltf: Gltf): void {
  const times = countTimesMeshesAreShown(gltf);
  let triangles = 0;
  gltf.meshes?.forEach(({ primitives }, mesh) => {
    for (const primitive of primitives)
      triangles += triangleCount(gltf, primitive) * Math.max(1, times.get(mesh) ?? 0);
  });
  checkTriangleCount(triangles);
}

/**
 * Throws an error with the reason when a loaded model has so many triangles that one frame would block the screen. Draco
 * meshes may have more than their document states.
 */
export function checkLoadedModelTriangleLimit(model: Object3D): void {
  let corners = 0;
  model.traverse((object) => {
    const { geometry, count = 1 } = object as { geometry?: BufferGeometry; count?: number };
    const drawn = geometry?.index ?? geometry?.attributes.position;
    corners += (drawn?.count ?? 0) * count;
  });
  checkTriangleCount(corners / 3);
}

/** The bytes of the indices that three.js makes for strips and fans: for each, also if they share their vertices. */
export function bytesOfStripAndFanIndices(gltf: Gltf): number {
  let triangles = 0;
  for (const { primitives } of gltf.meshes ?? [])
    for (const primitive of primitives)
      if (isStripOrFan(primitive)) triangles += triangleCount(gltf, primitive);
  return triangles * TRIANGLE_BYTES;
}

/** How often each mesh is shown: once for each node or instance. Meshes that none shows are missing. */
export function countTimesMeshesAreShown({ accessors, nodes, meshes }: Gltf): Map<number, number> {
  const times = new Map<number, number>();
  for (const { mesh, extensions } of nodes ?? []) {
    if (mesh === undefined || !meshes?.[mesh]) continue;
    const instancing = extensions?.EXT_mesh_gpu_instancing as
      | { attributes?: Record<string, number> }
      | undefined;
    const counts = Object.values(instancing?.attributes ?? {}).map((i) => Number(accessors?.[i]?.count ?? 0));
    // As a number: JavaScript also finds `"0"` in a list.
    times.set(Number(mesh), (times.get(Number(mesh)) ?? 0) + Math.max(1, ...counts));
  }
  return times;
}

/** The triangles of a list, strip or fan. Points and lines count like lists. */
function triangleCount({ accessors }: Gltf, primitive: GltfPrimitive): number {
  const corners = Number(accessors?.[primitive.indices ?? primitive.attributes?.POSITION ?? -1]?.count);
  if (!(corners > 0)) return 0;
  return isStripOrFan(primitive) ? Math.max(0, corners - 2) : corners / 3;
}

function isStripOrFan({ mode }: GltfPrimitive): boolean {
  return Number(mode) === STRIP || Number(mode) === FAN;
}

function checkTriangleCount(triangles: number): void {
  if (triangles > MAX_DRAWN_TRIANGLES)
    throw new Error(`it consists of more than ${MAX_DRAWN_TRIANGLES} triangles`);
}
