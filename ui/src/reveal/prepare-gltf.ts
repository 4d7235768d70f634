// Prepares a glTF document for three.js before it is loaded: completes what files in the wild lack, and removes what the
// stage does not use. What is no longer referenced is neither read nor uploaded.
import { recognizeBlendshapes } from './blendshape-names';
import { checkDocumentLimits, checkPreparedGltfBlendshapeLimits } from './document-limits';
import type { Gltf, GltfMaterial, GltfMesh, GltfNode } from './gltf';
import { findUnsupportedExtensions, findUsedExtensions } from './gltf-extensions';
import { type JointRole, jointRolesByNode } from './joint-roles';

/** The most blendshapes of a mesh that are loaded. Fewer are animated; some files have several of a name. */
const MAX_BLENDSHAPES = 256;

/** A glTF document that three.js can load, with the extensions that it uses. */
export interface PreparedGltfDocument {
  gltf: Gltf;
  /** Names of the extensions that occur in it. */
  extensions: ReadonlySet<string>;
}

/**
 * The document with one scene, and with no blendshapes but those with ARKit names in `kept`. Throws an error with the
 * reason when the figure cannot be shown.
 */
export function prepareGltf(gltf: Gltf, kept: ReadonlySet<string>): PreparedGltfDocument {
  const version = String(gltf.asset?.version ?? '2.0');
  if (Number.parseFloat(version) < 2)
    throw new Error(`the file is glTF ${version}, and this screen shows glTF 2.0`);
  const unsupported = findUnsupportedExtensions(gltf);
  if (unsupported.length > 0)
    throw new Error(`the file needs ${unsupported.join(' and ')}, which this screen cannot show`);
  if (!gltf.meshes?.length) throw new Error('the file contains no mesh');
  checkDocumentLimits(gltf);
  const fault = findSkeletonFault(gltf);
  if (fault !== null) throw new Error(`the file is no valid glTF: ${fault}`);
  const extensions = findUsedExtensions(gltf);
  const joints = jointRolesByNode(gltf);
  const zeros = zeroAccessorsByVertexCount(gltf);
  // Animations, cameras and lights are the stage's own; the first may refer to blendshapes that are removed.
  const { animations: _, cameras: __, ...rest } = gltf;
  const prepared: Gltf = {
    ...rest,
    asset: { version: '2.0' },
    extensionsUsed: [...extensions],
    scene: 0,
    scenes: [pickScene(gltf)],
    nodes: (gltf.nodes ?? []).map((node, i) => prepareNode(node, joints.get(i))),
    meshes: gltf.meshes.map((mesh, i) =>
      fillMissingMorphTargetsWithZeros(
        gltf,
        zeros,
        keepDrawnAttributes(keepAnimatedBlendshapes(gltf, mesh, i, kept)),
      ),
    ),
    accessors: [
      ...(gltf.accessors ?? []),
      ...[...zeros.keys()].map((count) => ({ componentType: FLOAT, type: 'VEC3', count })),
    ],
    ...(gltf.materials ? { materials: gltf.materials.map(convertSpecularGlossiness) } : {}),
    // The decoder of the compressed ranges is ours; see `AvatarFileBufferViewPlugin`.
    ...(gltf.bufferViews
      ? { bufferViews: gltf.bufferViews.map(({ extensions: ___, ...view }) => view) }
      : {}),
  };
  // With the zeros that were added.
  checkDocumentLimits(prepared);
  checkPreparedGltfBlendshapeLimits(prepared);
  return { gltf: prepared, extensions };
}

/** What is wrong with the nodes and the skins, where three.js would show a distorted figure or none; null for nothing. */
function findSkeletonFault({ nodes = [], skins = [], accessors = [] }: Gltf): string | null {
  for (const { joints = [], inverseBindMatrices } of skins) {
    const count = accessors[inverseBindMatrices ?? -1]?.count;
    if (count !== undefined && count < joints.length)
      return `its skeleton has ${joints.length} joints, and ${count} inverse bind matrices`;
  }
  // Removes nodes without children, until none is left: those in and above a loop always have one.
  const left = new Map(
    nodes.map(({ children = [] }, i) => [i, new Set(children.filter((child) => nodes[child]))]),
  );
  const parents = new Map<number, number[]>();
  nodes.forEach(({ children = [] }, i) => {
    for (const child of new Set(children)) {
      const known = parents.get(child);
      if (known) known.push(i);
      else parents.set(child, [i]);
    }
  });
  const leaves = [...left].filter(([, children]) => children.size === 0).map(([i]) => i);
  for (let leaf = leaves.pop(); leaf !== undefined; leaf = leaves.pop()) {
    left.delete(leaf);
    for (const parent of parents.get(leaf) ?? []) {
      left.get(parent)?.delete(leaf);
      if (left.get(parent)?.size === 0) leaves.push(parent);
    }
  }
  return left.size > 0 ? `its node ${[...left.keys()][0]} is in or above a loop of nodes` : null;
}

/** The scene to show; without one, all nodes that are no children. */
function pickScene({ scenes, scene, nodes }: Gltf): { nodes: number[] } {
  const chosen = scenes?.[scene ?? 0] ?? scenes?.find((one) => one.nodes?.length);
  if (chosen?.nodes?.length) return { nodes: chosen.nodes };
  const children = new Set((nodes ?? []).flatMap((node) => node.children ?? []));
  return { nodes: (nodes ?? []).map((_, i) => i).filter((i) => !children.has(i)) };
}

/**
 * The node as three.js loads it: with a unit quaternion, its role in the skeleton as the only extra data, and without
 * camera, light, and weights of blendshapes by their old index.
 */
function prepareNode(
  { camera: _, weights: __, extensions, extras, rotation, ...node }: GltfNode,
  joint: JointRole | undefined,
): GltfNode {
  const { KHR_lights_punctual: ___, ...left } = extensions ?? {};
  return {
    ...node,
    ...(rotation ? { rotation: normalizeQuaternion(rotation) } : {}),
    ...(Object.keys(left).length > 0 ? { extensions: left } : {}),
    // Nothing of the file itself: three.js copies it to where the stage keeps its own data.
    ...(joint === undefined ? {} : { extras: { joint } }),
  };
}

/** The quaternion with the length of one: three.js takes a longer one as it is, and the figure would be distorted. */
function normalizeQuaternion(rotation: number[]): number[] {
  const length = Math.hypot(...rotation);
  return length > 0 ? rotation.map((part) => part / length) : [0, 0, 0, 1];
}

/**
 * The mesh with no blendshapes but those that are animated, under ARKit's names: several are separated by a space, and
 * equal ones are numbered, because three.js keeps one blendshape a name.
 */
function keepAnimatedBlendshapes(
  gltf: Gltf,
  mesh: GltfMesh,
  index: number,
  kept: ReadonlySet<string>,
): GltfMesh {
  const names = recognizeBlendshapes(gltf, index);
  if (names.length === 0) return mesh;
  let left = MAX_BLENDSHAPES;
  const stays = names.map((shapes) => shapes.some((shape) => kept.has(shape)) && left-- > 0);
  const those = <T>(all: T[]) => all.filter((_, i) => stays[i]);
  const { weights, ...rest } = mesh;
  return {
    ...rest,
    primitives: mesh.primitives.map(({ targets, ...primitive }) => {
      const left = those(targets ?? []);
      return left.length > 0 ? { ...primitive, targets: left } : primitive;
    }),
    ...(weights ? { weights: those(weights) } : {}),
    extras: {
      ...mesh.extras,
      targetNames: makeBlendshapeNamesUnique(those(names).map((shapes) => shapes.join(' '))),
    },
  };
}

/** The names of blendshapes, with a number after each that occurred before: three.js finds a blendshape by its name. */
function makeBlendshapeNamesUnique(names: string[]): string[] {
  return names.map((name, i) => (names.indexOf(name) === i ? name : `${name}#${i}`));
}

/** ARKit's names of a loaded blendshape, from the name that `prepareGltf` gave it. */
export function arkitNamesOfLoadedBlendshape(name: string): string[] {
  return name.replace(/#\d+$/, '').split(' ');
}

/** The attributes of vertices that three.js draws with. */
const DRAWN_ATTRIBUTES: ReadonlySet<string> = new Set([
  ...['POSITION', 'NORMAL', 'TANGENT', 'COLOR_0', 'JOINTS_0', 'WEIGHTS_0'],
  ...['TEXCOORD_0', 'TEXCOORD_1', 'TEXCOORD_2', 'TEXCOORD_3'],
]);

/** The mesh without the attributes that are never drawn: they would be uploaded all the same. */
function keepDrawnAttributes(mesh: GltfMesh): GltfMesh {
  const drawn = (attributes: Record<string, number>) =>
    Object.fromEntries(Object.entries(attributes).filter(([name]) => DRAWN_ATTRIBUTES.has(name)));
  return {
    ...mesh,
    primitives: mesh.primitives.map(({ attributes, ...primitive }) => {
      const draco = primitive.extensions?.KHR_draco_mesh_compression as
        | { attributes?: Record<string, number> }
        | undefined;
      const decoded = { ...draco, attributes: drawn(draco?.attributes ?? {}) };
      return {
        ...primitive,
        ...(attributes ? { attributes: drawn(attributes) } : {}),
        // Its decoder makes a list of triangles of a strip, too.
        ...(draco
          ? { mode: TRIANGLES, extensions: { ...primitive.extensions, KHR_draco_mesh_compression: decoded } }
          : {}),
      };
    }),
  };
}

/**
 * The mesh with zeros for what a blendshape lacks and others of its mesh have. Three.js would take the base mesh itself
 * in its place.
 */
function fillMissingMorphTargetsWithZeros(
  gltf: Gltf,
  zeros: ReadonlyMap<number, number>,
  mesh: GltfMesh,
): GltfMesh {
  return {
    ...mesh,
    primitives: mesh.primitives.map((primitive) => {
      const { attributes, targets } = primitive;
      const accessor = zeros.get(gltf.accessors?.[attributes?.POSITION ?? -1]?.count ?? 0);
      if (!targets || accessor === undefined) return primitive;
      const moved = ['POSITION', 'NORMAL'].filter((attribute) => targets.some((one) => attribute in one));
      const missing = Object.fromEntries(moved.map((attribute) => [attribute, accessor]));
      return { ...primitive, targets: targets.map((target) => ({ ...missing, ...target })) };
    }),
  };
}

/**
 * The accessors of zeros, after those of the file: one for each distinct count of vertices of the primitives with
 * blendshapes.
 */
function zeroAccessorsByVertexCount({ meshes, accessors }: Gltf): Map<number, number> {
  const found = new Map<number, number>();
  for (const { primitives } of meshes ?? [])
    for (const { attributes, targets } of primitives) {
      const count = accessors?.[attributes?.POSITION ?? -1]?.count;
      if (count === undefined || !targets?.length || found.has(count)) continue;
      found.set(count, (accessors?.length ?? 0) + found.size);
    }
  return found;
}

/** Values of `componentType` of an accessor, and of `mode` of a primitive. */
const [FLOAT, TRIANGLES] = [5126, 4];

/** The material in metal and roughness, if it is described by specular colour and gloss, which three.js no longer knows. */
function convertSpecularGlossiness(material: GltfMaterial): GltfMaterial {
  const old = material.extensions?.KHR_materials_pbrSpecularGlossiness as
    | { diffuseFactor?: number[]; diffuseTexture?: unknown; glossinessFactor?: number }
    | undefined;
  if (!old || material.pbrMetallicRoughness) return material;
  return {
    ...material,
    pbrMetallicRoughness: {
      ...(old.diffuseFactor ? { baseColorFactor: old.diffuseFactor } : {}),
      ...(old.diffuseTexture ? { baseColorTexture: old.diffuseTexture } : {}),
      metallicFactor: 0,
      // Gloss is usually in a texture, and skin is not a mirror.
      roughnessFactor: Math.max(0.4, 1 - (old.glossinessFactor ?? 0.5)),
    },
  };
}
