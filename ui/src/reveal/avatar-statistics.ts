// Statistics of an avatar for the operator. Counted in the file as it was delivered, not in what was loaded of it.
import { type GltfDocumentWithBytes, imageBytes } from './avatar-file';
import { readBlendshapeNames, recognizeArkitName } from './blendshape-names';
import type { Gltf, GltfMesh } from './gltf';
import { type ImageSize, readImageSize } from './image-size';

/** The counts of what a GLB contains. */
export interface GlbStatistics {
  vertices: number;
  triangles: number;
  meshes: number;
  materials: number;
  textures: number;
  /** The sizes of the images in pixels, as far as they can be read. */
  pictures: ImageSize[];
  /** Distinct blendshape names. */
  blendshapes: number;
  /** How many of ARKit's 52 blendshapes there are, in any spelling. */
  arkit: number;
  joints: number;
}

/** The counts of an avatar's GLB, its size in bytes, and the cost of its loading and rendering. */
export interface AvatarStatistics extends GlbStatistics {
  bytes: number;
  drawCalls: number;
  /** Milliseconds from the first request to the first frame. */
  milliseconds: number;
}

/** Counts what a GLB contains. */
export function countGlbContents(file: GltfDocumentWithBytes): GlbStatistics {
  const { gltf } = file;
  const primitives = (gltf.meshes ?? []).flatMap((mesh) => mesh.primitives);
  const countOf = (accessor: number | undefined) =>
    accessor === undefined ? 0 : (gltf.accessors?.[accessor]?.count ?? 0);
  // Several primitives may share their vertices.
  const positions = new Set(primitives.map(({ attributes }) => attributes?.POSITION));
  const meshes = gltf.meshes ?? [];
  const shapes = new Set(meshes.flatMap((mesh) => blendshapeNamesOf(gltf, mesh)));
  const arkit = new Set([...shapes].map(recognizeArkitName).filter((name) => name !== null));
  return {
    vertices: [...positions].reduce((sum: number, accessor) => sum + countOf(accessor), 0),
    triangles: primitives.reduce(
      (sum, { indices, attributes, mode }) =>
        sum + triangleCount(mode ?? 4, countOf(indices ?? attributes?.POSITION)),
      0,
    ),
    meshes: gltf.meshes?.length ?? 0,
    materials: gltf.materials?.length ?? 0,
    textures: gltf.textures?.length ?? 0,
    pictures: imageSizesOf(file),
    blendshapes: shapes.size,
    arkit: arkit.size,
    joints: new Set((gltf.skins ?? []).flatMap(({ joints }) => joints ?? [])).size,
  };
}

/** The names of a mesh's blendshapes; unnamed ones are identified by their index. */
function blendshapeNamesOf(gltf: Gltf, mesh: GltfMesh): string[] {
  return readBlendshapeNames(gltf, mesh).map((name, i) => name ?? `#${i}`);
}

/** The number of triangles of a list, strip or fan (`mode`) with so many corners; points and lines have none. */
function triangleCount(mode: number, corners: number): number {
  if (mode === 4) return Math.floor(corners / 3);
  return mode === 5 || mode === 6 ? Math.max(0, corners - 2) : 0;
}

/** The sizes of the embedded images. Images that cannot be read are left out. */
function imageSizesOf(file: GltfDocumentWithBytes): ImageSize[] {
  return (file.gltf.images ?? []).flatMap((_, i) => {
    const bytes = imageBytes(file, i);
    const size = bytes && readImageSize(bytes);
    return size ? [size] : [];
  });
}
