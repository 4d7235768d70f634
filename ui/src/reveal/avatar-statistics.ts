// Statistics of an avatar for the operator. Counted in the file as it was delivered, not in what was loaded of it.
import { bufferViewBytes, type Gltf, type ParsedGlb } from './glb-file';
import { type ImageSize, readImageSize } from './image-size';

/** What a GLB contains. */
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
  /** How many of them are among the 52 names of ARKit. */
  arkit: number;
  joints: number;
}

/** Statistics including loading and rendering. */
export interface AvatarStatistics extends GlbStatistics {
  bytes: number;
  drawCalls: number;
  /** Milliseconds from the first request to the first frame. */
  milliseconds: number;
}

const leftAndRightNames = (name: string) => [`${name}Left`, `${name}Right`];

/** The blendshape names of ARKit. */
export const ARKIT_BLENDSHAPES: ReadonlySet<string> = new Set([
  ...['eyeBlink', 'eyeLookDown', 'eyeLookIn', 'eyeLookOut', 'eyeLookUp', 'eyeSquint', 'eyeWide'].flatMap(
    leftAndRightNames,
  ),
  ...['jawForward', 'jawLeft', 'jawRight', 'jawOpen'],
  ...['mouthClose', 'mouthFunnel', 'mouthPucker', 'mouthLeft', 'mouthRight'],
  ...['mouthSmile', 'mouthFrown', 'mouthDimple', 'mouthStretch'].flatMap(leftAndRightNames),
  ...['mouthRollLower', 'mouthRollUpper', 'mouthShrugLower', 'mouthShrugUpper'],
  ...['mouthPress', 'mouthLowerDown', 'mouthUpperUp'].flatMap(leftAndRightNames),
  ...['browDownLeft', 'browDownRight', 'browInnerUp', 'browOuterUpLeft', 'browOuterUpRight'],
  ...['cheekPuff', 'cheekSquintLeft', 'cheekSquintRight', 'noseSneerLeft', 'noseSneerRight', 'tongueOut'],
]);

/** Counts what a GLB contains. */
export function countGlbContents(glb: ParsedGlb): GlbStatistics {
  const { gltf } = glb;
  const primitives = (gltf.meshes ?? []).flatMap((mesh) => mesh.primitives);
  const countOf = (accessor: number | undefined) =>
    accessor === undefined ? 0 : (gltf.accessors?.[accessor]?.count ?? 0);
  // Several primitives may share their vertices.
  const positions = new Set(primitives.map(({ attributes }) => attributes?.POSITION));
  const shapes = new Set((gltf.meshes ?? []).flatMap(blendshapeNamesOf));
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
    pictures: imageSizesOf(glb),
    blendshapes: shapes.size,
    arkit: [...shapes].filter((name) => ARKIT_BLENDSHAPES.has(name)).length,
    joints: new Set((gltf.skins ?? []).flatMap(({ joints }) => joints ?? [])).size,
  };
}

/** The names of a mesh's blendshapes; unnamed ones are identified by their index. */
function blendshapeNamesOf({ primitives, extras }: NonNullable<Gltf['meshes']>[number]): string[] {
  const most = Math.max(0, ...primitives.map(({ targets }) => targets?.length ?? 0));
  const names = Array.isArray(extras?.targetNames) ? extras.targetNames : [];
  return Array.from({ length: most }, (_, i) => String(names[i] ?? `#${i}`));
}

/** The number of triangles of a list, strip or fan (`mode`) with so many corners; points and lines have none. */
function triangleCount(mode: number, corners: number): number {
  if (mode === 4) return Math.floor(corners / 3);
  return mode === 5 || mode === 6 ? Math.max(0, corners - 2) : 0;
}

/** The sizes of the embedded images. Images that cannot be read are left out. */
function imageSizesOf(glb: ParsedGlb): ImageSize[] {
  return (glb.gltf.images ?? []).flatMap(({ bufferView }) => {
    const bytes = bufferView === undefined ? null : bufferViewBytes(glb, bufferView);
    const size = bytes && readImageSize(bytes);
    return size ? [size] : [];
  });
}
