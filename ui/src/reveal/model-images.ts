// Gives the loader of three.js the images of an open file. The loader knows them by made-up names, which nothing can
// fetch: an address in the file is never requested.
import { type GltfDocumentWithBytes, imageBytes } from './avatar-file';
import type { Gltf } from './gltf';

const NAME_START = 'image:';

/** The document with names for its images in place of addresses and ranges of bytes, and without addresses of buffers. */
export function replaceImageAddressesWithNames(gltf: Gltf): Gltf {
  const { buffers, images } = gltf;
  return {
    ...gltf,
    ...(buffers ? { buffers: buffers.map(({ uri: _, ...buffer }) => buffer) } : {}),
    ...(images
      ? {
          images: images.map(({ mimeType }, i) => ({
            uri: `${NAME_START}${i}`,
            ...(mimeType === undefined ? {} : { mimeType }),
          })),
        }
      : {}),
  };
}

/** The bytes of an image by its name, as a part of the file. Throws an error when the file does not have them. */
export function bytesOfNamedImage(file: GltfDocumentWithBytes, name: string): Uint8Array<ArrayBuffer> {
  const bytes = name.startsWith(NAME_START) ? imageBytes(file, Number(name.slice(NAME_START.length))) : null;
  if (!bytes) throw new Error('an image was not delivered with the file');
  return bytes;
}
