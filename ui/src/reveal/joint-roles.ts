// Recognises the joints of a skeleton by name: those of VRM, Mixamo, Blender, 3ds Max, Character Creator and others.
import { splitIntoWords } from './blendshape-names';
import type { Gltf } from './gltf';

/** A joint that the stage uses. */
export type JointRole =
  | 'head'
  | 'neck'
  | 'hips'
  | `${'left' | 'right'}${'Eye' | 'UpperArm' | 'LowerArm' | 'Foot' | 'Toes'}`;

/** The roles of nodes, by their index: as a VRM file states them, the others by name. */
export function jointRolesByNode(gltf: Gltf): Map<number, JointRole> {
  const found = readVrmJointRoles(gltf);
  const joints = new Set((gltf.skins ?? []).flatMap((skin) => skin.joints ?? []));
  const taken = new Set<JointRole>(found.values());
  gltf.nodes?.forEach(({ name, mesh }, i) => {
    // A mesh called “head” is no joint.
    if (name === undefined || (joints.size > 0 ? !joints.has(i) : mesh !== undefined)) return;
    const role = recognizeJointRole(name);
    // The first one is nearest to the root: others are its tips and helpers.
    if (role === null || taken.has(role) || found.has(i)) return;
    taken.add(role);
    found.set(i, role);
  });
  return found;
}

/** The role of a joint by its name; null for joints that the stage does not use. */
export function recognizeJointRole(name: string): JointRole | null {
  // Numbers and the middle of left and right (`head.x`, `Head_M`) say nothing.
  const words = splitIntoWords(name)
    .map((word) => word.replace(/\d+$/, ''))
    .filter((word) => word !== '' && !/^[xmc]$/.test(word));
  const side = words.some((word) => /^(l|left)$/.test(word))
    ? 'left'
    : words.some((word) => /^(r|right)$/.test(word))
      ? 'right'
      : null;
  const rest = words.filter((word) => !/^(l|left|r|right)$/.test(word)).join(' ');
  if (/(^| )head$/.test(rest)) return 'head';
  if (/(^| )neck$/.test(rest)) return 'neck';
  if (/(^| )(hips?|pelvis)$/.test(rest)) return 'hips';
  if (side === null) return null;
  if (/(^| )eye ?(ball)?$/.test(rest)) return `${side}Eye`;
  if (/(fore ?arm|lower ?arm|elbow)$/.test(rest)) return `${side}LowerArm`;
  if (/(^| |upper)arm$/.test(rest)) return `${side}UpperArm`;
  if (/(^| )(foot|ankle)$/.test(rest)) return `${side}Foot`;
  if (/(^| )(toe ?base|toes?|ball)$/.test(rest)) return `${side}Toes`;
  return null;
}

const VRM_ROLES: ReadonlySet<string> = new Set<JointRole>([
  'head',
  'neck',
  'hips',
  'leftEye',
  'rightEye',
  'leftUpperArm',
  'rightUpperArm',
  'leftLowerArm',
  'rightLowerArm',
  'leftFoot',
  'rightFoot',
  'leftToes',
  'rightToes',
]);

/** The roles that a VRM file (0 or 1) states. */
function readVrmJointRoles({ extensions }: Gltf): Map<number, JointRole> {
  const { VRM, VRMC_vrm: vrm1 } = (extensions ?? {}) as Record<
    string,
    { humanoid?: { humanBones?: unknown } } | undefined
  >;
  const bones = vrm1?.humanoid?.humanBones ?? VRM?.humanoid?.humanBones;
  const found = new Map<number, JointRole>();
  for (const [key, bone] of Object.entries(bones ?? {}) as [
    string,
    { bone?: string; node?: number } | null,
  ][]) {
    const role = bone?.bone ?? key;
    if (typeof bone?.node === 'number' && VRM_ROLES.has(role)) found.set(bone.node, role as JointRole);
  }
  return found;
}
