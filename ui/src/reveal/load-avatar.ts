// Loads an avatar without blocking the screen: parsed in place, copied in pieces as needed, decoded in workers. Written
// against the internals of `GLTFLoader` in three 0.187.0 (`parser.textureLoader`, `parse` of an object, `loadBufferView`
// and `loadTexture` of plugins). `three` is pinned to that version; `load-avatar.test.ts` is the contract test.
import type { CompressedTexture, ImageBitmapLoader, Object3D, Texture, WebGLRenderer } from 'three';
import { GLTFLoader, type GLTFLoaderPlugin, type GLTFParser } from 'three/addons/loaders/GLTFLoader.js';
import type { KTX2Loader } from 'three/addons/loaders/KTX2Loader.js';
import { rejectOnAbort } from './abort';
import { bufferViewBytes, type GltfDocumentWithBytes, viewOfBufferRange } from './avatar-file';
import { countGlbContents, type GlbStatistics } from './avatar-statistics';
import { MAX_TEXTURE_SIZE } from './decode-bitmap';
import { type Decoders, loadDecoders } from './decoders';
import { disposeModel, releaseBuffer } from './dispose-model';
import { checkImageLimits, checkLoadedModelBlendshapeLimits } from './document-limits';
import { checkLoadedModelTriangleLimit } from './drawing-limits';
import { ANIMATED_BLENDSHAPES } from './expression';
import type { Gltf } from './gltf';
import { bytesOfNamedImage, replaceImageAddressesWithNames } from './model-images';
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

/** The longest time that an avatar may take to be loaded. One of 60 MB takes a few seconds on a slow machine. */
export const MAX_LOADING_MILLISECONDS = 60_000;

/**
 * Fetches and parses the file. Rejects with the reason when it cannot be loaded or parsed, when it takes too long, and as
 * soon as the signal aborts. Its workers end then, and a model that arrives later is released.
 */
export async function loadAvatar(
  url: string,
  signal: AbortSignal,
  renderer: WebGLRenderer,
): Promise<LoadedAvatar> {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new Error(`its loading took longer than ${MAX_LOADING_MILLISECONDS / 1000} s`)),
    MAX_LOADING_MILLISECONDS,
  );
  const ended = AbortSignal.any([signal, late.signal]);
  try {
    const bytes = await rejectOnAbort(readSavedFile(url, ended), ended);
    const { byteLength } = bytes;
    const file = await rejectOnAbort(openAvatarFile(bytes, ended), ended);
    checkImageLimits(file);
    const { gltf, extensions } = prepareGltf(file.gltf, ANIMATED_BLENDSHAPES);
    const model = await parsePreparedGltf(file, gltf, extensions, ended, renderer);
    const statistics = countGlbContents(file);
    // The model has copies of what it needs.
    for (const content of [...file.buffers, ...file.images.values()]) if (content) releaseBuffer(content);
    return { model, facesBack: file.gltf.extensions?.VRM !== undefined, statistics, bytes: byteLength };
  } finally {
    clearTimeout(timer);
  }
}

/** Lets three.js make the model of a prepared document. Its workers end when this function does. */
async function parsePreparedGltf(
  file: GltfDocumentWithBytes,
  gltf: Gltf,
  extensions: ReadonlySet<string>,
  signal: AbortSignal,
  renderer: WebGLRenderer,
): Promise<Object3D> {
  const textureDecoder = new GltfImageLoader((name) => bytesOfNamedImage(file, name));
  const decoders = loadDecoders(extensions, renderer);
  let parsed: Promise<{ scene: Object3D }> | null = null;
  try {
    const loaded = await rejectOnAbort(decoders, signal);
    const loader = new GLTFLoader().setDRACOLoader(loaded.draco).setKTX2Loader(loaded.ktx2);
    loader.register((parser) => {
      parser.textureLoader = textureDecoder as unknown as ImageBitmapLoader;
      return new AvatarFileBufferViewPlugin(file, loaded, signal);
    });
    for (const name of TEXTURE_EXTENSIONS)
      loader.register((parser) => new TextureFallbackPlugin(parser, name, file));
    // `parse` also accepts the document as an object, although its types do not say so.
    parsed = loader.parseAsync(replaceImageAddressesWithNames(gltf) as unknown as string, '');
    const { scene } = await rejectOnAbort(parsed, signal).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : describeParseError(error);
    });
    checkLoadedModelBlendshapeLimits(scene);
    checkLoadedModelTriangleLimit(scene);
    if (hasLostItsColours(gltf, scene))
      throw new Error('no picture of its surface can be decoded, and the figure would be white');
    return scene;
  } catch (error) {
    // Also when it is made after the end: its images take much memory.
    parsed?.then(
      ({ scene }) => disposeModel(scene),
      () => {},
    );
    throw error;
  } finally {
    decoders.then(
      (loaded) => loaded.close(),
      () => {},
    );
    textureDecoder.close();
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
  readonly #file: GltfDocumentWithBytes;
  readonly #decoders: Decoders;
  readonly #signal: AbortSignal;

  constructor(file: GltfDocumentWithBytes, decoders: Decoders, signal: AbortSignal) {
    this.#file = file;
    this.#decoders = decoders;
    this.#signal = signal;
  }

  loadBufferView(index: number): Promise<ArrayBuffer> {
    if (this.#signal.aborted) return Promise.reject(this.#signal.reason);
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
  readonly #file: GltfDocumentWithBytes;

  constructor(parser: GLTFParser, name: (typeof TEXTURE_EXTENSIONS)[number], file: GltfDocumentWithBytes) {
    this.#parser = parser;
    this.name = name;
    this.#file = file;
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
      const loader = ktx2 ? this.#loaderOfNamedImages(ktx2) : parser.textureLoader;
      const texture = await parser.loadTextureImage(index, image, loader);
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

  /** A loader that decodes images of the file by their names, in place of the one that would fetch them. */
  #loaderOfNamedImages(ktx2: KTX2Loader): ImageBitmapLoader {
    const load = (
      name: string,
      done: (texture: CompressedTexture) => void,
      _: unknown,
      failed: (error: unknown) => void,
    ) => void ktx2.parse(bytesOfNamedImage(this.#file, name).slice().buffer, done, failed);
    return { load } as unknown as ImageBitmapLoader;
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
