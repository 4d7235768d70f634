import {
  CompressedTexture,
  Mesh,
  MeshStandardMaterial,
  NearestFilter,
  PerspectiveCamera,
  RGBA_S3TC_DXT5_Format,
  Scene,
  SRGBColorSpace,
  Texture,
  type WebGLRenderer,
} from 'three';
import { expect, it, vi } from 'vitest';
import { checkTextureLimits } from './texture-limits';
import { compileShadersAndUploadTextures } from './upload-to-gpu';

/** An image of 16 million pixels, scaled: 22 MB with its mipmaps. */
const largest = () => new Texture({ width: 2048, height: 2048 } as HTMLCanvasElement);

it('accepts three times the textures of a detailed avatar', () => {
  checkTextureLimits(Array.from({ length: 26 }, largest));
});

it('counts an image once for each way in which it is uploaded', () => {
  const image = largest();
  const ways = Array.from({ length: 28 }, (_, i) => {
    const way = image.clone();
    way.anisotropy = 1 + (i % 14);
    if (i >= 14) way.colorSpace = SRGBColorSpace;
    return way;
  });
  expect(() => checkTextureLimits(ways)).toThrow(/textures take more than 600000000 bytes/);
  // Moved and scaled by the shader, it is uploaded once.
  checkTextureLimits(
    Array.from({ length: 100 }, (_, i) => {
      const same = image.clone();
      same.offset.set(i, i);
      same.channel = i % 4;
      return same;
    }),
  );
});

it('counts a compressed texture by its mipmaps', () => {
  const compressed = (bytes: number) =>
    new CompressedTexture(
      [{ data: { byteLength: bytes } as Uint8Array, width: 2048, height: 2048 }],
      2048,
      2048,
      RGBA_S3TC_DXT5_Format,
    );
  checkTextureLimits([compressed(300_000_000), compressed(300_000_000)]);
  expect(() => checkTextureLimits([compressed(300_000_000), compressed(300_000_001)])).toThrow(/more than/);
});

it('nothing of an avatar with too many textures is uploaded', async () => {
  const renderer = { compileAsync: vi.fn(), initTexture: vi.fn() };
  const scene = new Scene();
  for (let i = 0; i < 28; i += 1) {
    const map = largest();
    map.minFilter = NearestFilter;
    scene.add(new Mesh(undefined, new MeshStandardMaterial({ map })));
  }
  const uploading = compileShadersAndUploadTextures(
    renderer as unknown as WebGLRenderer,
    scene,
    new PerspectiveCamera(),
    new AbortController().signal,
  );
  await expect(uploading).rejects.toThrow(/textures take more than/);
  expect(renderer.compileAsync).not.toHaveBeenCalled();
  expect(renderer.initTexture).not.toHaveBeenCalled();
});
