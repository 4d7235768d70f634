import { describe, expect, it } from 'vitest';
import { assembleAvatarFile, bufferViewBytes } from './avatar-file';
import { parseGlb } from './glb-file';
import type { Gltf } from './gltf';
import { arkitNamesOfLoadedBlendshape, prepareGltf } from './prepare-gltf';

const names = ['jawOpen', 'noseSneerLeft', 'mouthSmileLeft'];
const binary = Uint8Array.from({ length: 40 }, (_, i) => i);

function glb(gltf: unknown): ArrayBuffer {
  const json = new TextEncoder().encode(JSON.stringify(gltf));
  const padded = Math.ceil(json.length / 4) * 4;
  const bytes = new Uint8Array(20 + padded + 8 + binary.length).fill(0x20);
  const view = new DataView(bytes.buffer);
  [0x46546c67, 2, bytes.length, padded, 0x4e4f534a].forEach((word, i) => {
    view.setUint32(i * 4, word, true);
  });
  bytes.set(json, 20);
  view.setUint32(20 + padded, binary.length, true);
  view.setUint32(24 + padded, 0x004e4942, true);
  bytes.set(binary, 28 + padded);
  return bytes.buffer;
}

const face = {
  meshes: [
    {
      primitives: [
        { attributes: { POSITION: 0 }, targets: [{ POSITION: 1 }, { POSITION: 2 }, { POSITION: 3 }] },
        { attributes: { POSITION: 4 }, targets: [{ POSITION: 5 }, { POSITION: 6 }, { POSITION: 7 }] },
      ],
      weights: [0, 0.5, 1],
      extras: { targetNames: names, made: 'by hand' },
    },
  ],
};

describe('a GLB', () => {
  it('is parsed without a copy', () => {
    const file = glb(face);
    const { gltf, binary: rest } = parseGlb(file);
    expect(gltf).toEqual(face);
    expect(rest).toEqual(binary);
    expect(rest.buffer).toBe(file);
    const views = {
      bufferViews: [{ byteOffset: 8, byteLength: 4 }, { byteOffset: 38, byteLength: 4 }, { buffer: 1 }],
    };
    const parsed = parseGlb(glb(views));
    const opened = assembleAvatarFile(parsed.gltf, parsed.binary);
    expect(bufferViewBytes(opened, 0)).toEqual(binary.subarray(8, 12));
    for (const elsewhere of [1, 2, 3]) expect(bufferViewBytes(opened, elsewhere)).toBeNull();
  });

  it('may lack its binary part, or end too early', () => {
    const file = glb(face);
    const end = 20 + new DataView(file).getUint32(12, true);
    expect(parseGlb(file.slice(0, end)).binary).toHaveLength(0);
    expect(parseGlb(file.slice(0, -10)).binary).toHaveLength(binary.length - 10);
  });

  it.each([
    ['an error page', new TextEncoder().encode('<html>an error page that is long enough</html>').buffer],
    ['nothing', new ArrayBuffer(0)],
    ['its head alone', glb(face).slice(0, 40)],
  ])('that is %s is refused', (_, file) => expect(() => parseGlb(file as ArrayBuffer)).toThrow(/GLB/));
});

describe('a document', () => {
  const prepared = (gltf: Gltf, kept: Iterable<string> = []) => prepareGltf(gltf, new Set(kept)).gltf;

  it('loses the blendshapes that are never animated, and nothing else of its meshes', () => {
    const before = structuredClone(face);
    const [mesh] = prepared(face, ['jawOpen', 'mouthSmileLeft']).meshes ?? [];
    expect(mesh?.extras).toEqual({ targetNames: ['jawOpen', 'mouthSmileLeft'], made: 'by hand' });
    expect(mesh?.weights).toEqual([0, 1]);
    expect(mesh?.primitives[0]?.targets).toEqual([{ POSITION: 1 }, { POSITION: 3 }]);
    expect(mesh?.primitives[1]?.targets).toEqual([{ POSITION: 5 }, { POSITION: 7 }]);
    expect(mesh?.primitives[1]?.attributes).toEqual({ POSITION: 4 });
    expect(face).toEqual(before);
  });

  it('has no blendshapes when none is animated, and nothing that refers to them', () => {
    const gltf = prepared({ ...face, nodes: [{ mesh: 0, weights: [1, 0, 0], camera: 0 }], animations: [{}] });
    expect(gltf.meshes?.[0]?.primitives[0]).toEqual({ attributes: { POSITION: 0 } });
    expect(gltf.nodes).toEqual([{ mesh: 0 }]);
    expect(gltf.animations).toBeUndefined();
  });

  it('has ARKit’s names whatever the spelling, and wherever the names are', () => {
    const targets = [{ POSITION: 1 }, { POSITION: 2 }, { POSITION: 3 }];
    const targetNames = ['head.mouthSmile_L', 'Frown', 'JawOpen'];
    const mesh = { primitives: [{ targets, extras: { targetNames } }] };
    const gltf = prepared({ meshes: [mesh] }, ['jawOpen', 'mouthSmileLeft']);
    expect(gltf.meshes?.[0]?.extras?.targetNames).toEqual(['mouthSmileLeft', 'jawOpen']);
    expect(gltf.meshes?.[0]?.primitives[0]?.targets).toEqual([{ POSITION: 1 }, { POSITION: 3 }]);
  });

  it('keeps a name for each blendshape when several have the same', () => {
    const mesh = {
      primitives: [{ targets: [{}, {}] }],
      extras: { targetNames: ['a.jawOpen', 'b.jawOpen'] },
    };
    const names = prepared({ meshes: [mesh] }, ['jawOpen']).meshes?.[0]?.extras?.targetNames as string[];
    expect(new Set(names).size).toBe(2);
    expect(names.map(arkitNamesOfLoadedBlendshape)).toEqual([['jawOpen'], ['jawOpen']]);
  });

  it('has zeros for the normals that only some blendshapes have', () => {
    const targets = [{ POSITION: 1 }, { POSITION: 2, NORMAL: 3 }];
    const mesh = {
      primitives: [{ attributes: { POSITION: 0 }, targets }],
      extras: { targetNames: ['jawOpen', 'mouthSmileLeft'] },
    };
    const accessors = Array.from({ length: 4 }, () => ({ count: 7 }));
    const gltf = prepared({ meshes: [mesh], accessors }, ['jawOpen', 'mouthSmileLeft']);
    expect(gltf.meshes?.[0]?.primitives[0]?.targets).toEqual([
      { POSITION: 1, NORMAL: 4 },
      { POSITION: 2, NORMAL: 3 },
    ]);
    expect(gltf.accessors?.[4]).toEqual({ componentType: 5126, type: 'VEC3', count: 7 });
  });

  it('loses the attributes that nothing draws, also of a Draco mesh', () => {
    const attributes = { POSITION: 0, TEXCOORD_1: 1, _A: 2, COLOR_7: 3 };
    const draco = { bufferView: 0, attributes: { POSITION: 0, _A: 1 } };
    const primitives = [
      { attributes },
      { attributes, mode: 5, extensions: { KHR_draco_mesh_compression: draco } },
    ];
    const [plain, compressed] = prepared({ meshes: [{ primitives }] }).meshes?.[0]?.primitives ?? [];
    expect(plain).toEqual({ attributes: { POSITION: 0, TEXCOORD_1: 1 } });
    expect(compressed?.attributes).toEqual({ POSITION: 0, TEXCOORD_1: 1 });
    expect(compressed?.mode).toBe(4);
    expect(compressed?.extensions?.KHR_draco_mesh_compression).toEqual({
      bufferView: 0,
      attributes: { POSITION: 0 },
    });
  });

  it('of many parts takes time in proportion to their number', () => {
    const accessors = [{ count: 3 }];
    const primitives = Array(9_000).fill({ attributes: { POSITION: 0 }, targets: [{ NORMAL: 0 }] });
    const mesh = { primitives, extras: { targetNames: ['jawOpen'] } };
    const begun = performance.now();
    const last = prepared({ meshes: [mesh], accessors }, ['jawOpen']).meshes?.[0]?.primitives.at(-1);
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(last?.targets).toEqual([{ NORMAL: 0 }]);
  });

  it('has one scene, also when it names none', () => {
    const nodes = [{ children: [1] }, {}, { mesh: 0 }];
    const { meshes } = face;
    const roots = { scene: 0, scenes: [{ nodes: [0, 2] }] };
    expect(prepared({ meshes, nodes })).toMatchObject(roots);
    expect(prepared({ meshes, nodes, scene: 4, scenes: [{}] })).toMatchObject(roots);
    expect(prepared({ meshes, nodes, scene: 1, scenes: [{ nodes: [0] }, { nodes: [2] }] })).toMatchObject({
      scene: 0,
      scenes: [{ nodes: [2] }],
    });
  });

  it('lists the extensions that it uses, also those that it does not name', () => {
    const primitive = { extensions: { KHR_draco_mesh_compression: {} } };
    const { gltf, extensions } = prepareGltf({ meshes: [{ primitives: [primitive] }] }, new Set());
    expect(extensions.has('KHR_draco_mesh_compression')).toBe(true);
    expect(gltf.extensionsUsed).toEqual(['KHR_draco_mesh_compression']);
  });

  it('has the role of each joint as extra data', () => {
    const nodes = [
      { name: 'mixamorig:Head', extras: { joint: 'theirs' } },
      { name: 'Tail', extras: [] },
    ];
    expect(prepared({ meshes: face.meshes, nodes, skins: [{ joints: [0, 1] }] }).nodes).toEqual([
      { name: 'mixamorig:Head', extras: { joint: 'head' } },
      { name: 'Tail' },
    ]);
  });

  it('has rotations of the length of one', () => {
    const nodes = [{ rotation: [0, 0, 0, 2] }, { rotation: [0, 0, 0, 0] }, {}];
    expect(prepared({ meshes: face.meshes, nodes }).nodes).toEqual([
      { rotation: [0, 0, 0, 1] },
      { rotation: [0, 0, 0, 1] },
      {},
    ]);
  });

  it('is refused when its nodes form a loop, and not when several are below one', () => {
    const nodes = [{ children: [1, 2, 9] }, { children: [2] }, { children: [] }];
    expect(() => prepared({ ...face, nodes })).not.toThrow();
    nodes[2]?.children.push(0 as never);
    expect(() => prepared({ ...face, nodes })).toThrow(/node 0 is in or above a loop/);
  });

  it('is refused when its skeleton lacks matrices', () => {
    const skins = [{ joints: [0, 1], inverseBindMatrices: 0 }];
    expect(() => prepared({ ...face, skins, accessors: [{ count: 2 }] })).not.toThrow();
    expect(() => prepared({ ...face, skins, accessors: [{ count: 1 }] })).toThrow(/2 joints, and 1 inverse/);
  });

  it('that describes gloss is described by roughness', () => {
    const old = { diffuseFactor: [1, 0, 0, 1], glossinessFactor: 0.2 };
    const materials = [{ extensions: { KHR_materials_pbrSpecularGlossiness: old } }];
    expect(prepared({ meshes: face.meshes, materials }).materials?.[0]?.pbrMetallicRoughness).toEqual({
      baseColorFactor: [1, 0, 0, 1],
      metallicFactor: 0,
      roughnessFactor: 0.8,
    });
  });

  it.each<[reason: RegExp, gltf: Gltf]>([
    [/needs KHR_one and EXT_other, which this screen/, { extensionsRequired: ['KHR_one', 'EXT_other'] }],
    [/glTF 1\.0/, { asset: { version: '1.0' } }],
    [/no mesh/, { meshes: [] }],
  ])('is refused with the reason %s', (reason, gltf) => {
    expect(() => prepared({ meshes: face.meshes, ...gltf })).toThrow(reason);
  });

  it('may require what only refines the figure', () => {
    const extensionsRequired = ['KHR_materials_sheen', 'VRMC_vrm', 'KHR_texture_basisu'];
    expect(() => prepared({ meshes: face.meshes, extensionsRequired })).not.toThrow();
  });
});
