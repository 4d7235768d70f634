// Recognises blendshapes by name. ARKit's names are spelled in many ways: `eyeBlinkLeft`, `eyeBlink_L`,
// `EyeBlinkLeft`, `head.eyeBlinkLeft`, `A14_Eye_Blink_Left`.
import type { Gltf, GltfMesh } from './gltf';

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

/** The end of a name that is read. What is longer has a long prefix, or no meaning. */
const MAX_NAME_LENGTH = 200;
/** ARKit's names have at most four words. */
const MAX_ARKIT_WORDS = 8;
/** The most expressions of a VRM 0 file that are read. Files have some dozens. */
const MAX_VRM_EXPRESSIONS = 1_000;

/** ARKit's name by its comparable form: lower case, with the side as one letter at the end. */
const ARKIT_BY_COMPARABLE_FORM: ReadonlyMap<string, string> = new Map(
  [...ARKIT_BLENDSHAPES].map((name) => [joinWordsWithSideLast(splitIntoWords(name)), name]),
);

/** Words that tools append to the name of a blendshape. */
const APPENDED_WORDS = new Set(['mesh', 'shape', 'geo', 'morph', 'bs', 'target']);

/** ARKit's name of a blendshape, whatever the spelling; null when it is none of ARKit's. */
export function recognizeArkitName(name: string): string | null {
  const words = splitIntoWords(name);
  while (words.length > 1 && APPENDED_WORDS.has(words.at(-1) ?? '')) words.pop();
  // What stands before it may be a prefix: of the mesh, of the rig, or a number.
  for (let start = Math.max(0, words.length - MAX_ARKIT_WORDS); start < words.length; start += 1) {
    const found = ARKIT_BY_COMPARABLE_FORM.get(joinWordsWithSideLast(words.slice(start)));
    if (found !== undefined) return found;
  }
  return null;
}

/** The words of a name in lower case: `head.eyeBlink_L` has the words head, eye, blink, l. */
export function splitIntoWords(name: string): string[] {
  return name
    .slice(-MAX_NAME_LENGTH)
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .split(/[^A-Za-z\d]+/)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase());
}

/** Joins the words of a blendshape's name, with the side (`left`, `l`, …) as one letter at the end. */
function joinWordsWithSideLast(words: readonly string[]): string {
  const side = (word: string | undefined) =>
    word === 'left' || word === 'l' ? 'L' : word === 'right' || word === 'r' ? 'R' : '';
  const [first, last] = [side(words[0]), side(words.at(-1))];
  if (last) return words.slice(0, -1).join('') + last;
  return first ? words.slice(1).join('') + first : words.join('');
}

/**
 * The names of a mesh's blendshapes as the file gives them, by index. They are in the mesh's extras, in those of a
 * primitive, or they are the names of the accessors. Unnamed ones are undefined.
 */
export function readBlendshapeNames(gltf: Gltf, mesh: GltfMesh): (string | undefined)[] {
  const count = Math.max(0, ...mesh.primitives.map(({ targets }) => targets?.length ?? 0));
  const lists = [mesh, ...mesh.primitives].map(({ extras }) => extras?.targetNames).filter(Array.isArray);
  const names: unknown[] = lists.find(({ length }) => length === count) ?? lists[0] ?? [];
  const positions: (number | undefined)[] = [];
  for (const { targets } of mesh.primitives)
    targets?.forEach((target, i) => {
      positions[i] ??= target.POSITION;
    });
  return Array.from({ length: count }, (_, i) => {
    const name = names[i];
    if (typeof name === 'string' && name !== '') return name;
    return gltf.accessors?.[positions[i] ?? -1]?.name;
  });
}

/**
 * ARKit's names for each blendshape of a mesh, by index. A blendshape that moves both sides has two, but only in a mesh
 * that has none for each side. Others have none.
 */
export function recognizeBlendshapes(gltf: Gltf, mesh: number): string[][] {
  const definition = gltf.meshes?.[mesh];
  if (!definition) return [];
  const names = readBlendshapeNames(gltf, definition);
  if (names.length === 0) return [];
  const found = names.map((name) => {
    const arkit = name === undefined ? null : recognizeArkitName(name);
    return arkit === null ? [] : [arkit];
  });
  const known = new Set(found.flat());
  const expressions = arkitNamesByVrmBoundBlendshape(gltf, mesh);
  names.forEach((name, i) => {
    const [own] = found[i] ?? [];
    if (own !== undefined) return;
    const words = name === undefined ? '' : splitIntoWords(name).join('');
    const both = BOTH_SIDES.find(([spellings]) => spellings.includes(words))?.[1] ?? expressions.get(i) ?? [];
    found[i] = both.filter((shape) => !known.has(shape));
  });
  return found;
}

/** Blendshapes that move both sides, by the usual spellings of their names. */
const BOTH_SIDES: readonly (readonly [spellings: readonly string[], shapes: readonly string[]])[] = [
  [['blink', 'eyesclosed', 'eyesclose', 'eyeblink'], leftAndRightNames('eyeBlink')],
  [['smile', 'mouthsmile'], leftAndRightNames('mouthSmile')],
];

/** ARKit's names for the expressions of VRM 0 and 1. */
const VRM_EXPRESSIONS: Readonly<Record<string, readonly string[]>> = {
  blink: leftAndRightNames('eyeBlink'),
  blink_l: ['eyeBlinkLeft'],
  blinkLeft: ['eyeBlinkLeft'],
  blink_r: ['eyeBlinkRight'],
  blinkRight: ['eyeBlinkRight'],
  fun: leftAndRightNames('mouthSmile'),
  relaxed: leftAndRightNames('mouthSmile'),
};

/** ARKit names of the blendshapes of a mesh that a VRM file binds to expressions, by blendshape index. */
function arkitNamesByVrmBoundBlendshape(gltf: Gltf, mesh: number): Map<number, readonly string[]> {
  const found = new Map<number, readonly string[]>();
  const add = (expression: unknown, binds: unknown, isOfMesh: (bind: Record<string, unknown>) => boolean) => {
    const shapes = VRM_EXPRESSIONS[String(expression)];
    const [bind, ...more] = Array.isArray(binds) ? (binds as Record<string, unknown>[]) : [];
    // An expression of several blendshapes is not one of them.
    if (!shapes || !bind || more.length > 0 || typeof bind.index !== 'number' || !isOfMesh(bind)) return;
    // The one for a single side is the more precise one.
    if (shapes.length === 1 || !found.has(bind.index)) found.set(bind.index, shapes);
  };
  const vrm0 = gltf.extensions?.VRM as { blendShapeMaster?: { blendShapeGroups?: unknown } } | undefined;
  const groups = vrm0?.blendShapeMaster?.blendShapeGroups;
  if (Array.isArray(groups))
    for (const { presetName, binds } of groups.slice(0, MAX_VRM_EXPRESSIONS))
      add(presetName, binds, (bind) => bind.mesh === mesh);
  const vrm1 = gltf.extensions?.VRMC_vrm as
    | { expressions?: { preset?: Record<string, unknown> } }
    | undefined;
  for (const name of Object.keys(VRM_EXPRESSIONS))
    add(
      name,
      (vrm1?.expressions?.preset?.[name] as { morphTargetBinds?: unknown } | null | undefined)
        ?.morphTargetBinds,
      (bind) => gltf.nodes?.[Number(bind.node)]?.mesh === mesh,
    );
  return found;
}
