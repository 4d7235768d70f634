import { describe, expect, it } from 'vitest';
import { assembleAvatarFile } from './avatar-file';
import { countGlbContents } from './avatar-statistics';
import { ARKIT_BLENDSHAPES } from './blendshape-names';
import type { Gltf } from './gltf';
import { readImageSize } from './image-size';

const glb = (gltf: Gltf, binary = new Uint8Array()) => assembleAvatarFile(gltf, binary);

/** The header of a PNG. */
function png(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  [0x89504e47, 0x0d0a1a0a, 13, 0x49484452, width, height].forEach((word, i) => {
    view.setUint32(i * 4, word);
  });
  return bytes;
}

describe('the statistics of an avatar', () => {
  it('know the 52 names of ARKit', () => expect(ARKIT_BLENDSHAPES.size).toBe(52));

  it('count shared vertices once, and triangles by their mode', () => {
    const counted = countGlbContents(
      glb({
        accessors: [{ count: 100 }, { count: 300 }, { count: 12 }, { count: 7 }],
        meshes: [
          {
            primitives: [
              { attributes: { POSITION: 0 }, indices: 1 },
              // Shares its vertices.
              { attributes: { POSITION: 0 }, indices: 2 },
            ],
          },
          {
            primitives: [
              { attributes: { POSITION: 3 }, mode: 5 },
              { attributes: { POSITION: 3 }, mode: 1 },
            ],
          },
        ],
      }),
    );
    expect(counted).toMatchObject({ vertices: 107, triangles: 100 + 4 + 5, meshes: 2 });
  });

  it('count a blendshape once across meshes, and those of ARKit separately', () => {
    const targets = [{}, {}, {}];
    const names = ['jawOpen', 'eyeBlinkLeft', 'hornsOut'];
    const mesh = { primitives: [{ targets }], extras: { targetNames: names } };
    expect(countGlbContents(glb({ meshes: [mesh, mesh] }))).toMatchObject({ blendshapes: 3, arkit: 2 });
    // Unnamed blendshapes count too.
    expect(countGlbContents(glb({ meshes: [{ primitives: [{ targets }] }] }))).toMatchObject({
      blendshapes: 3,
      arkit: 0,
    });
  });

  it('count joints once, and read the sizes of images where possible', () => {
    const picture = png(2048, 1024);
    const counted = countGlbContents(
      glb(
        {
          skins: [{ joints: [1, 2, 3] }, { joints: [3, 4] }],
          materials: [{}],
          textures: [{}, {}, {}],
          images: [{ bufferView: 0 }, { uri: 'elsewhere.png' }, { bufferView: 1 }, { bufferView: 9 }],
          bufferViews: [
            { buffer: 0, byteOffset: 4, byteLength: picture.length },
            { buffer: 0, byteOffset: 20, byteLength: 4000 },
          ],
        },
        Uint8Array.from([0, 0, 0, 0, ...picture]),
      ),
    );
    expect(counted).toMatchObject({ joints: 4, materials: 1, textures: 3 });
    expect(counted.pictures).toEqual([{ width: 2048, height: 1024 }]);
  });

  it('are zero for an empty file', () => {
    expect(countGlbContents(glb({}))).toEqual({
      vertices: 0,
      triangles: 0,
      meshes: 0,
      materials: 0,
      textures: 0,
      pictures: [],
      blendshapes: 0,
      arkit: 0,
      joints: 0,
    });
  });
});

describe('the size of an image', () => {
  it('is read from a JPEG after other segments', () => {
    const head = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc4, 0, 3, 9];
    const frame = [0xff, 0xc2, 0, 11, 8, 0x03, 0x00, 0x04, 0x00, 3, 0, 0];
    expect(readImageSize(Uint8Array.from([...head, ...frame]))).toEqual({ width: 1024, height: 768 });
  });

  it('is read from the three kinds of WebP', () => {
    const webp = (kind: string, rest: number[]) => {
      const text = (word: string) => [...word].map((sign) => sign.charCodeAt(0));
      return Uint8Array.from([
        ...text('RIFF'),
        0,
        0,
        0,
        0,
        ...text('WEBP'),
        ...text(kind),
        0,
        0,
        0,
        0,
        ...rest,
      ]);
    };
    expect(readImageSize(webp('VP8X', [0, 0, 0, 0, 0xff, 0x07, 0, 0xff, 0x03, 0]))).toEqual({
      width: 2048,
      height: 1024,
    });
    const bits = 639 | (479 << 14);
    expect(
      readImageSize(
        webp('VP8L', [0x2f, bits & 255, (bits >> 8) & 255, (bits >> 16) & 255, (bits >> 24) & 255]),
      ),
    ).toEqual({ width: 640, height: 480 });
    expect(readImageSize(webp('VP8 ', [0, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01]))).toEqual({
      width: 640,
      height: 480,
    });
  });

  it('is null for truncated data and other formats', () => {
    for (const whole of [png(9, 9), Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc0])])
      for (let length = 0; length < whole.length; length += 1)
        expect(readImageSize(whole.subarray(0, length))).toBeNull();
    expect(readImageSize(new TextEncoder().encode('GIF89a, which glTF does not know'))).toBeNull();
  });
});
