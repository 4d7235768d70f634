// Loads an avatar without blocking the screen: parsed in place, and copied in pieces as needed. Written against the
// internals of `GLTFLoader` in three 0.187.0 (`parser.textureLoader`, `parse` of an object, `loadBufferView` of
// plugins). `three` is pinned to that version; `load-avatar.test.ts` is the contract test.
import type { ImageBitmapLoader, Object3D } from 'three';
import { GLTFLoader, type GLTFLoaderPlugin } from 'three/addons/loaders/GLTFLoader.js';
import { countGlbContents, type GlbStatistics } from './avatar-statistics';
import { ANIMATED_BLENDSHAPES } from './expression';
import { bufferViewBytes, type ParsedGlb, parseGlb } from './glb-file';
import { removeUnusedBlendshapes } from './prepare-gltf';
import { readSavedFile } from './read-saved-file';
import { TextureDecoder } from './texture-decoder';

/** A loaded avatar. */
export interface LoadedAvatar {
  model: Object3D;
  statistics: GlbStatistics;
  bytes: number;
}

/** Fetches and parses the GLB. Rejects when it cannot be loaded or parsed. */
export async function loadAvatar(url: string, signal: AbortSignal): Promise<LoadedAvatar> {
  const file = await readSavedFile(url, signal);
  const glb = parseGlb(file);
  const decoder = new TextureDecoder();
  const loader = new GLTFLoader().register((parser) => {
    // Where three.js does not use image bitmaps, its own loader stays.
    if ('isImageBitmapLoader' in parser.textureLoader)
      parser.textureLoader = decoder as unknown as ImageBitmapLoader;
    return new InPlaceBufferLoader(glb);
  });
  try {
    // `parse` also accepts the document as an object, although its types do not say so.
    const { scene } = await loader.parseAsync(
      removeUnusedBlendshapes(glb.gltf, ANIMATED_BLENDSHAPES) as unknown as string,
      '',
    );
    return { model: scene, statistics: countGlbContents(glb), bytes: file.byteLength };
  } finally {
    decoder.close();
  }
}

/**
 * Gives the loader the buffer views of an open GLB. Otherwise it would copy the whole file at once, including unused
 * blendshapes.
 */
class InPlaceBufferLoader implements GLTFLoaderPlugin {
  readonly name = 'in-place';
  readonly #glb: ParsedGlb;

  constructor(glb: ParsedGlb) {
    this.#glb = glb;
  }

  loadBufferView(index: number): Promise<ArrayBuffer> | null {
    const { extensions } = this.#glb.gltf.bufferViews?.[index] ?? {};
    const bytes = extensions === undefined ? bufferViewBytes(this.#glb, index) : null;
    // Compressed views and those outside the file are left to other plugins.
    return bytes && Promise.resolve(bytes.slice().buffer as ArrayBuffer);
  }
}
