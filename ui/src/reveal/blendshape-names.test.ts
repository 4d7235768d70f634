import { describe, expect, it } from 'vitest';
import { ARKIT_BLENDSHAPES, recognizeArkitName, recognizeBlendshapes } from './blendshape-names';
import { jointRolesByNode, recognizeJointRole } from './joint-roles';

describe('the name of a blendshape', () => {
  it.each([
    'eyeBlinkLeft',
    'eyeBlink_L',
    'EyeBlinkLeft',
    'head.eyeBlinkLeft',
    'blendShape1.eyeBlink_L',
    'eyeBlink.L',
    'EYE_BLINK_LEFT',
    'eye-blink-left',
    'A14_Eye_Blink_Left',
    'CTRL_expressions_eyeBlinkL',
    'L_eyeBlink',
    'leftEyeBlink',
    'eyeBlinkLeft_Mesh',
    'Wolf3D_Head|eyeBlinkLeft',
    'headEyeBlinkLeft',
  ])('%s is recognised', (name) => expect(recognizeArkitName(name)).toBe('eyeBlinkLeft'));

  it('is recognised as it is written in ARKit', () => {
    for (const name of ARKIT_BLENDSHAPES) expect(recognizeArkitName(name)).toBe(name);
  });

  it.each(['', 'Basis', 'eyeBlink', 'hornsOut', 'left', '__'])('%s is none of ARKit’s', (name) =>
    expect(recognizeArkitName(name)).toBeNull(),
  );
});

/** The milliseconds that a call takes. */
function timeOf(call: () => void): number {
  const begun = performance.now();
  call();
  return performance.now() - begun;
}

describe('a name without end takes no time', () => {
  it.each([
    ['of words', 'a '.repeat(400_000)],
    ['of appended words', 'mesh '.repeat(400_000)],
    ['of capitals', 'A'.repeat(800_000)],
  ])('%s', (_, long) => {
    expect(
      timeOf(() => {
        expect(recognizeArkitName(long)).toBeNull();
        expect(recognizeArkitName(`${long} eyeBlinkLeft`)).toBe('eyeBlinkLeft');
        expect(recognizeJointRole(`${long} head`)).toBe('head');
      }),
    ).toBeLessThan(1_000);
  });
});

describe('the blendshapes of a mesh', () => {
  it('take time in proportion to their number, however many parts and expressions there are', () => {
    const primitives = Array.from({ length: 10_000 }, () => ({ targets: [{}] }));
    const shapes = { targets: Array.from({ length: 200_000 }, () => ({})) };
    const gltf = {
      meshes: [
        { primitives: [...primitives, shapes] },
        ...Array(2_000).fill({ primitives: [{ targets: [{}] }] }),
      ],
      extensions: {
        VRM: {
          blendShapeMaster: { blendShapeGroups: Array(200_000).fill({ presetName: 'blink', binds: [] }) },
        },
      },
    };
    expect(
      timeOf(() => {
        for (const mesh of gltf.meshes.keys()) recognizeBlendshapes(gltf, mesh);
      }),
    ).toBeLessThan(3_000);
  });

  const mesh = (targetNames: string[]) => ({
    primitives: [{ targets: targetNames.map((_, i) => ({ POSITION: i })) }],
    extras: { targetNames },
  });

  it('may move both sides, where none moves each', () => {
    expect(recognizeBlendshapes({ meshes: [mesh(['mouthSmile', 'eyesClosed'])] }, 0)).toEqual([
      ['mouthSmileLeft', 'mouthSmileRight'],
      ['eyeBlinkLeft', 'eyeBlinkRight'],
    ]);
    const ready = mesh(['eyesClosed', 'eyeBlinkLeft', 'eyeBlinkRight']);
    expect(recognizeBlendshapes({ meshes: [ready] }, 0)).toEqual([[], ['eyeBlinkLeft'], ['eyeBlinkRight']]);
  });

  it('may be named by their accessors', () => {
    const meshes = [{ primitives: [{ targets: [{ POSITION: 0 }, { POSITION: 1 }] }] }];
    const accessors = [{ name: 'jawOpen' }, {}];
    expect(recognizeBlendshapes({ meshes, accessors }, 0)).toEqual([['jawOpen'], []]);
  });

  it('may be named by the expressions of VRM 0 and 1', () => {
    const meshes = [mesh(['Fcl_ALL_Fun', 'Fcl_EYE_Close_L'])];
    const group = (presetName: string, index: number) => ({ presetName, binds: [{ mesh: 0, index }] });
    const blendShapeGroups = [group('fun', 0), group('blink_l', 1), group('a', 0)];
    const expected = [['mouthSmileLeft', 'mouthSmileRight'], ['eyeBlinkLeft']];
    expect(
      recognizeBlendshapes({ meshes, extensions: { VRM: { blendShapeMaster: { blendShapeGroups } } } }, 0),
    ).toEqual(expected);
    const bind = (index: number) => ({ morphTargetBinds: [{ node: 1, index, weight: 1 }] });
    const preset = { relaxed: bind(0), blinkLeft: bind(1) };
    expect(
      recognizeBlendshapes(
        { meshes, nodes: [{}, { mesh: 0 }], extensions: { VRMC_vrm: { expressions: { preset } } } },
        0,
      ),
    ).toEqual(expected);
  });
});

describe('the name of a joint', () => {
  it.each([
    ['mixamorig:Head', 'head'],
    ['mixamorigHead', 'head'],
    ['Bip01 Head', 'head'],
    ['J_Bip_C_Head', 'head'],
    ['CC_Base_Head', 'head'],
    ['head.x', 'head'],
    ['Head_M', 'head'],
    ['LeftEye', 'leftEye'],
    ['eye.R', 'rightEye'],
    ['CC_Base_L_Eye', 'leftEye'],
    ['mixamorig:LeftArm', 'leftUpperArm'],
    ['upper_arm.L', 'leftUpperArm'],
    ['Bip01_L_UpperArm', 'leftUpperArm'],
    ['upperarm_r', 'rightUpperArm'],
    ['RightForeArm', 'rightLowerArm'],
    ['lowerarm_l', 'leftLowerArm'],
    ['Hips', 'hips'],
    ['pelvis', 'hips'],
    ['LeftToeBase', 'leftToes'],
    ['foot_l', 'leftFoot'],
  ])('%s is recognised as %s', (name, role) => expect(recognizeJointRole(name)).toBe(role));

  it.each(['HeadTop_End', 'LeftEyelid', 'LeftShoulder', 'Armature', 'headset', 'LeftHand', 'eyebrow_L', ''])(
    '%s is none that the stage uses',
    (name) => expect(recognizeJointRole(name)).toBeNull(),
  );

  it('counts for joints, not for meshes, and VRM’s own description comes first', () => {
    const nodes = [{ name: 'Head', mesh: 0 }, { name: 'Armature' }, { name: 'Bip Head' }, { name: 'x' }];
    expect([...jointRolesByNode({ nodes, skins: [{ joints: [1, 2] }] })]).toEqual([[2, 'head']]);
    const humanBones = { head: { node: 3 }, tail: { node: 1 } };
    const extensions = { VRMC_vrm: { humanoid: { humanBones } } };
    expect([...jointRolesByNode({ nodes, extensions })]).toEqual([[3, 'head']]);
    const old = { VRM: { humanoid: { humanBones: [{ bone: 'head', node: 3 }] } } };
    expect([...jointRolesByNode({ nodes, extensions: old })]).toEqual([[3, 'head']]);
  });
});
