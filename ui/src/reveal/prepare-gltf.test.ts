import { describe, expect, it } from 'vitest';
import { bufferViewBytes, type Gltf, parseGlb } from './glb-file';
import { removeUnusedBlendshapes } from './prepare-gltf';

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
    const opened = parseGlb(glb(views));
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

describe('an avatar', () => {
  it('loses the blendshapes that are never animated, and nothing else', () => {
    const before = structuredClone(face);
    const [mesh] = removeUnusedBlendshapes(face, new Set(['jawOpen', 'mouthSmileLeft'])).meshes ?? [];
    expect(mesh?.extras).toEqual({ targetNames: ['jawOpen', 'mouthSmileLeft'], made: 'by hand' });
    expect(mesh?.weights).toEqual([0, 1]);
    expect(mesh?.primitives[0]?.targets).toEqual([{ POSITION: 1 }, { POSITION: 3 }]);
    expect(mesh?.primitives[1]?.targets).toEqual([{ POSITION: 5 }, { POSITION: 7 }]);
    expect(mesh?.primitives[1]?.attributes).toEqual({ POSITION: 4 });
    expect(face).toEqual(before);
  });

  it('has none when none is animated', () => {
    const lighter = removeUnusedBlendshapes(
      { ...face, nodes: [{ mesh: 0, weights: [1, 0, 0] }], animations: [{}] },
      new Set(),
    );
    expect(lighter.meshes?.[0]?.primitives[0]).toEqual({ attributes: { POSITION: 0 } });
    // What referred to them by index is removed too.
    expect(lighter.nodes).toEqual([{ mesh: 0 }]);
    expect(lighter.animations).toBeUndefined();
  });

  it.each<[string, Gltf, Set<string>]>([
    ['all are moved', face, new Set(names)],
    ['they bear no names', { meshes: [{ primitives: [{ targets: [{}] }] }] }, new Set()],
    [
      'the names are not theirs',
      { meshes: [{ primitives: [{ targets: [{}, {}] }], extras: { targetNames: ['one'] } }] },
      new Set(),
    ],
    ['it has no meshes', {}, new Set()],
  ])('stays as it is where %s', (_, gltf, kept) => {
    expect(removeUnusedBlendshapes(gltf, kept)).toBe(gltf);
  });
});
