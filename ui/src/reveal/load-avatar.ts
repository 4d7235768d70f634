// Loads an avatar without blocking the screen: parsed in place, copied in pieces as needed, decoded in workers. Written
// against the internals of `GLTFLoader` in three 0.187.0 (`parser.textureLoader`, `parse` of an object, `loadBufferView`
// and `loadTexture` of plugins). `three` is pinned to that version; `load-avatar.test.ts` is the contract test.
import type { CompressedTexture, ImageBitmapLoader, Object3D, Texture, WebGLRenderer } from 'three';
import { GLTFLoader, type GLTFLoaderPlugin, type GLTFParser } from 'three/addons/loaders/GLTFLoader.js';
import { type AvatarFile, bufferViewBytes, viewOfBufferRange } from './avatar-file';
import { countGlbContents, type GlbStatistics } from './avatar-statistics';
import { MAX_TEXTURE_SIZE } from './decode-bitmap';
import { type Decoders, loadDecoders } from './decoders';
import { checkModelBlendshapeLimits, checkModelDrawingLimits } from './document-limits';
import { ANIMATED_BLENDSHAPES } from './expression';
import type { Gltf } from './gltf';
import { openAvatarFile } from './open-avatar-file';
import { prepareGltf } from './prepare-gltf';
import { readSavedFile } from './read-saved-file';
import { GltfImageLoader } from './texture-decoder';

/** A loaded avatar: its model, and the counts and the size of its file. */
export interface LoadedAvatar {
  model: Object3D;
  /** Whether the file's format says that the figure faces −Z, as VRM 0 does. */
  facesBack: boolean;
  statistics: GlbStatistics;
  bytes: number;
}

/** Fetches and parses the file. Rejects with the reason when it cannot be loaded or parsed. */
export async function loadAvatar(
  url: string,
  signal: AbortSignal,
  renderer: WebGLRenderer,
): Promise<LoadedAvatar> {
  const bytes = await readSavedFile(url, signal);
  const { byteLength } = bytes;
  const file = await openAvatarFile(bytes, signal);
  const { gltf, extensions } = prepareGltf(file.gltf, ANIMATED_BLENDSHAPES);
  const images = new TemporaryImageUrls(file);
  const textureDecoder = new GltfImageLoader();
  let decoders: Decoders | null = null;
  try {
    const loaded = await loadDecoders(extensions, renderer);
    decoders = loaded;
    signal.throwIfAborted();
    const loader = new GLTFLoader().setDRACOLoader(loaded.draco).setKTX2Loader(loaded.ktx2);
    loader.register((parser) => {
      // Where three.js does not use image bitmaps, its own loader stays.
      if ('isImageBitmapLoader' in parser.textureLoader)
        parser.textureLoader = textureDecoder as unknown as ImageBitmapLoader;
      return new AvatarFileBufferViewPlugin(file, loaded);
    });
    for (const name of TEXTURE_EXTENSIONS)
      loader.register((parser) => new TextureFallbackPlugin(parser, name));
    // `parse` also accepts the document as an object, although its types do not say so.
    const { scene } = await loader
      .parseAsync(images.replaceIn(gltf) as unknown as string, '')
      .catch((error: unknown) => Promise.reject(describeParseError(error)));
    checkModelBlendshapeLimits(scene);
    checkModelDrawingLimits(scene);
    if (hasLostItsColours(gltf, scene))
      throw new Error('no picture of its surface can be decoded, and the figure would be white');
    return {
      model: scene,
      facesBack: file.gltf.extensions?.VRM !== undefined,
      statistics: countGlbContents(file),
      bytes: byteLength,
    };
  } finally {
    decoders?.close();
    textureDecoder.close();
    images.revoke();
  }
}

/** Whether the document has colour textures and the loaded figure has none of them. */
function hasLostItsColours({ materials }: Gltf, model: Object3D): boolean {
  if (!materials?.some((material) => material.pbrMetallicRoughness?.baseColorTexture)) return false;
  let colours = 0;
  model.traverse((object) => {
    const { material } = object as { material?: { map?: unknown } };
    if (material?.map) colours += 1;
  });
  return colours === 0;
}

/** The reason why three.js could not load a document. Its decoders reject with objects that are no errors. */
function describeParseError(error: unknown): Error {
  if (error instanceof Error && error.name === 'Error') return error;
  const { message, error: inner } = error as { message?: string; error?: unknown };
  return new Error(`the file is no valid glTF: ${message ?? inner ?? error}`);
}

/**
 * Gives the loader the buffer views of an open file. Otherwise it would copy the whole file at once, including unused
 * blendshapes.
 */
class AvatarFileBufferViewPlugin implements GLTFLoaderPlugin {
  readonly name = 'saved-buffer';
  readonly #file: AvatarFile;
  readonly #decoders: Decoders;

  constructor(file: AvatarFile, decoders: Decoders) {
    this.#file = file;
    this.#decoders = decoders;
  }

  loadBufferView(index: number): Promise<ArrayBuffer> {
    return this.#decodeMeshopt(index) ?? this.#copyBytes(index);
  }

  async #copyBytes(index: number): Promise<ArrayBuffer> {
    const bytes = bufferViewBytes(this.#file, index);
    if (bytes) return bytes.slice().buffer;
    const uri = this.#file.gltf.buffers?.[this.#file.gltf.bufferViews?.[index]?.buffer ?? 0]?.uri;
    if (uri !== undefined && uri !== 'data:')
      throw new Error(`the file needs “${uri.slice(0, 80)}”, which was not delivered with it`);
    throw new Error('the file is shorter than its description says');
  }

  /** The decoded view; null when it is not compressed. */
  #decodeMeshopt(index: number): Promise<ArrayBuffer> | null {
    const { extensions } = this.#file.gltf.bufferViews?.[index] ?? {};
    const found = extensions?.EXT_meshopt_compression ?? extensions?.KHR_meshopt_compression;
    const { meshopt } = this.#decoders;
    if (found === undefined || !meshopt) return null;
    const compressed = found as {
      buffer?: number;
      byteOffset?: number;
      byteLength?: number;
      byteStride: number;
      count: number;
      mode: string;
      filter?: string;
    };
    const bytes = viewOfBufferRange(this.#file, compressed);
    // A view may also be in the file uncompressed.
    if (!bytes) return null;
    const { count, byteStride, mode, filter } = compressed;
    return meshopt
      .decodeGltfBufferAsync(count, byteStride, bytes, mode, filter)
      .then((decoded) => decoded.buffer as ArrayBuffer);
  }
}

/** Extensions by which a texture has another image. */
const TEXTURE_EXTENSIONS = ['KHR_texture_basisu', 'EXT_texture_avif', 'EXT_texture_webp'] as const;

/**
 * Replaces three.js' plugin of the same name: where the better image of a texture cannot be decoded, its plain one is
 * shown.
 */
class TextureFallbackPlugin implements GLTFLoaderPlugin {
  readonly name: string;
  readonly #parser: GLTFParser;

  constructor(parser: GLTFParser, name: (typeof TEXTURE_EXTENSIONS)[number]) {
    this.#parser = parser;
    this.name = name;
  }

  loadTexture(index: number): Promise<Texture> | null {
    const parser = this.#parser;
    const { textures, images } = parser.json as Gltf;
    const { source, extensions } = textures?.[index] ?? {};
    const better = (extensions?.[this.name] as { source?: number } | undefined)?.source;
    const isKtx2 = this.name === 'KHR_texture_basisu';
    const load = async (image: number | undefined): Promise<Texture | null> => {
      if (image === undefined || !images?.[image]) return null;
      const ktx2 = isKtx2 && image === better ? parser.options.ktx2Loader : null;
      const texture = await parser.loadTextureImage(index, image, ktx2 ?? parser.textureLoader);
      return texture && ktx2 ? withoutLargestMipmaps(texture as CompressedTexture) : texture;
    };
    // Without any image that this screen knows: no texture, instead of none of the figure.
    if (better === undefined) {
      const hasOther = Object.keys(extensions ?? {}).some((name) =>
        (TEXTURE_EXTENSIONS as readonly string[]).includes(name),
      );
      return source === undefined && !hasOther
        ? (Promise.resolve(null) as unknown as Promise<Texture>)
        : null;
    }
    return load(better).then((texture) => texture ?? load(source)) as Promise<Texture>;
  }
}

/** Drops the mipmaps that are larger than any screen shows, as images are scaled down. */
function withoutLargestMipmaps(texture: CompressedTexture): CompressedTexture {
  const { mipmaps } = texture;
  if (!texture.isCompressedTexture || !mipmaps) return texture;
  while (mipmaps.length > 1 && Math.max(mipmaps[0]?.width ?? 0, mipmaps[0]?.height ?? 0) > MAX_TEXTURE_SIZE)
    mipmaps.shift();
  const [largest] = mipmaps;
  if (largest) texture.image = { ...texture.image, width: largest.width, height: largest.height };
  return texture;
}

/** Gives images that are not in a buffer a URL, for as long as the avatar is loaded. */
class TemporaryImageUrls {
  readonly #urls = new Map<number, string>();

  constructor({ gltf, images }: AvatarFile) {
    for (const [index, bytes] of images) {
      const type = gltf.images?.[index]?.mimeType;
      this.#urls.set(index, URL.createObjectURL(new Blob([bytes], type === undefined ? {} : { type })));
    }
  }

  /** The document with these URLs. */
  replaceIn(gltf: Gltf): Gltf {
    if (!gltf.images) return gltf;
    return {
      ...gltf,
      images: gltf.images.map((image, i) => {
        const uri = this.#urls.get(i);
        return uri === undefined ? image : { ...image, uri };
      }),
    };
  }

  revoke(): void {
    for (const url of this.#urls.values()) URL.revokeObjectURL(url);
  }
}
