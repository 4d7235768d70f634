import { describe, expect, it } from 'vitest';
import { lighten } from './lighten';

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

function read(buffer: ArrayBuffer) {
  const view = new DataView(buffer);
  const length = view.getUint32(12, true);
  return {
    whole: view.getUint32(8, true),
    json: JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 20, length))),
    binary: new Uint8Array(buffer, 28 + length),
  };
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
  it('loses the blendshapes that are never moved, and nothing else', () => {
    const lighter = lighten(glb(face), new Set(['jawOpen', 'mouthSmileLeft']));
    const { json, binary: rest, whole } = read(lighter);
    expect(json.meshes[0].extras).toEqual({ targetNames: ['jawOpen', 'mouthSmileLeft'], made: 'by hand' });
    expect(json.meshes[0].weights).toEqual([0, 1]);
    expect(json.meshes[0].primitives[0].targets).toEqual([{ POSITION: 1 }, { POSITION: 3 }]);
    expect(json.meshes[0].primitives[1].targets).toEqual([{ POSITION: 5 }, { POSITION: 7 }]);
    expect(rest).toEqual(binary);
    expect(whole).toBe(lighter.byteLength);
  });

  it('without any that is moved has none', () => {
    const { json } = read(lighten(glb(face), new Set()));
    expect(json.meshes[0].primitives[0].targets).toBeUndefined();
  });

  it.each([
    ['all are moved', glb(face), new Set(names)],
    ['they bear no names', glb({ meshes: [{ primitives: [{ targets: [{}] }] }] }), new Set<string>()],
    [
      'the names are not theirs',
      glb({ meshes: [{ ...face.meshes[0], extras: { targetNames: ['one'] } }] }),
      new Set<string>(),
    ],
    [
      'it is none',
      new TextEncoder().encode('<html>an error page that is long enough</html>').buffer,
      new Set<string>(),
    ],
    ['it is empty', new ArrayBuffer(0), new Set<string>()],
  ])('stays as it is where %s', (_, buffer, kept) => {
    expect(lighten(buffer as ArrayBuffer, kept)).toBe(buffer);
  });
});
