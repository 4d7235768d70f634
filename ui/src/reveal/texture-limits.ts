// Bounds the memory that the textures of an avatar take on the graphics card. three.js uploads an image once for each
// sampler and colour space that it is used with.
import type { CompressedTexture, Texture } from 'three';

/**
 * The most bytes of all uploaded textures, with their mipmaps. An avatar has about ten of at most 22 MB; a texture of
 * 4096 × 4096 pixels is scaled down to that before.
 */
const MAX_TEXTURE_BYTES = 600_000_000;
/** Bytes of a pixel that is not compressed. */
const PIXEL_BYTES = 4;
/** All mipmaps below an image have a third of its pixels. */
const MIPMAP_FACTOR = 4 / 3;

/** Throws an error with the reason when the upload of these textures would fill the memory. */
export function checkTextureLimits(textures: Iterable<Texture>): void {
  const uploads = new Set<string>();
  let bytes = 0;
  for (const texture of textures) {
    const upload = keyOfSharedTextureUpload(texture);
    if (uploads.has(upload)) continue;
    uploads.add(upload);
    bytes += textureBytesOnGraphicsCard(texture);
  }
  if (bytes > MAX_TEXTURE_BYTES) throw new Error(`its textures take more than ${MAX_TEXTURE_BYTES} bytes`);
}

/** What textures of one upload have in common: their image, and what `WebGLTextures` of three 0.187.0 tells uploads by. */
function keyOfSharedTextureUpload(texture: Texture): string {
  const { source, wrapS, wrapT, magFilter, minFilter, anisotropy, internalFormat, format, type } = texture;
  const { generateMipmaps, premultiplyAlpha, flipY, unpackAlignment, colorSpace } = texture;
  return [
    ...[source.id, wrapS, wrapT, magFilter, minFilter, anisotropy, internalFormat, format, type],
    ...[generateMipmaps, premultiplyAlpha, flipY, unpackAlignment, colorSpace],
  ].join();
}

/** The bytes of a texture on the card. */
function textureBytesOnGraphicsCard(texture: Texture): number {
  const compressed = (texture as Partial<CompressedTexture>).mipmaps ?? [];
  if (compressed.length > 0)
    return compressed.reduce((all, mipmap) => all + (mipmap.data?.byteLength ?? 0), 0);
  const { width = 0, height = 0 } = (texture.image ?? {}) as { width?: number; height?: number };
  return width * height * PIXEL_BYTES * MIPMAP_FACTOR;
}
