// What an avatar is made of, for the operator. Pure: counted in the file, not on the graphics card, so that it is what
// was delivered and not what was left of it for the show.
import { bufferViewBytes, type Glb, type Gltf } from './glb-file';
import { type ImageSize, readImageSize } from './image-size';

/** The numbers of an avatar. */
export interface GlbStatistics {
  vertices: number;
  triangles: number;
  meshes: number;
  materials: number;
  textures: number;
  /** The sizes of its pictures in pixels, as far as they can be read. */
  pictures: ImageSize[];
  /** Different blendshapes by name. */
  blendshapes: number;
  /** How many of them bear one of the fifty-two names of ARKit. */
  arkit: number;
  joints: number;
}

/** What is known once it stands on the stage. */
export interface AvatarStatistics extends GlbStatistics {
  bytes: number;
  drawCalls: number;
  /** From the first request to the first picture. */
  milliseconds: number;
}

const leftAndRight = (name: string) => [`${name}Left`, `${name}Right`];

/** The blendshapes that ARKit knows. */
export const ARKIT_BLENDSHAPES: ReadonlySet<string> = new Set([
  ...['eyeBlink', 'eyeLookDown', 'eyeLookIn', 'eyeLookOut', 'eyeLookUp', 'eyeSquint', 'eyeWide'].flatMap(
    leftAndRight,
  ),
  ...['jawForward', 'jawLeft', 'jawRight', 'jawOpen'],
  ...['mouthClose', 'mouthFunnel', 'mouthPucker', 'mouthLeft', 'mouthRight'],
  ...['mouthSmile', 'mouthFrown', 'mouthDimple', 'mouthStretch'].flatMap(leftAndRight),
  ...['mouthRollLower', 'mouthRollUpper', 'mouthShrugLower', 'mouthShrugUpper'],
  ...['mouthPress', 'mouthLowerDown', 'mouthUpperUp'].flatMap(leftAndRight),
  ...['browDownLeft', 'browDownRight', 'browInnerUp', 'browOuterUpLeft', 'browOuterUpRight'],
  ...['cheekPuff', 'cheekSquintLeft', 'cheekSquintRight', 'noseSneerLeft', 'noseSneerRight', 'tongueOut'],
]);

/** Counts what is in a GLB. */
export function countGlbContents(glb: Glb): GlbStatistics {
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

/** The names of a mesh's blendshapes; those without one are told by their place. */
function blendshapeNamesOf({ primitives, extras }: NonNullable<Gltf['meshes']>[number]): string[] {
  const most = Math.max(0, ...primitives.map(({ targets }) => targets?.length ?? 0));
  const names = Array.isArray(extras?.targetNames) ? extras.targetNames : [];
  return Array.from({ length: most }, (_, i) => String(names[i] ?? `#${i}`));
}

/** Triangles of so many corners: a list, a strip or a fan; points and lines have none. */
function triangleCount(mode: number, corners: number): number {
  if (mode === 4) return Math.floor(corners / 3);
  return mode === 5 || mode === 6 ? Math.max(0, corners - 2) : 0;
}

function imageSizesOf(glb: Glb): ImageSize[] {
  return (glb.gltf.images ?? []).flatMap(({ bufferView }) => {
    const bytes = bufferView === undefined ? null : bufferViewBytes(glb, bufferView);
    const size = bytes && readImageSize(bytes);
    return size ? [size] : [];
  });
}
