// Reads an avatar's file without holding the screen: taken apart in place, and copied piece by piece as it is needed.
import type { ImageBitmapLoader, Object3D } from 'three';
import { GLTFLoader, type GLTFLoaderPlugin } from 'three/addons/loaders/GLTFLoader.js';
import { countGlbContents, type GlbStatistics } from './avatar-statistics';
import { ANIMATED_BLENDSHAPES } from './expression';
import { bufferViewBytes, type Glb, parseGlb } from './glb-file';
import { prepareGltf } from './prepare-gltf';
import { readBody } from './read-body';
import { TextureDecoder } from './texture-decoder';

/** An avatar as it was read. */
export interface LoadedAvatar {
  model: Object3D;
  statistics: GlbStatistics;
  bytes: number;
}

/** Fetches and reads the GLB; rejects when it cannot be had or read. */
export async function loadAvatar(url: string, signal: AbortSignal): Promise<LoadedAvatar> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`the avatar’s file was not served: ${response.status}`);
  const file = await readBody(response, signal);
  const glb = parseGlb(file);
  const decoder = new TextureDecoder();
  const loader = new GLTFLoader().register((parser) => {
    // Where three.js does not trust the view with bitmaps, it keeps its own way.
    if ('isImageBitmapLoader' in parser.textureLoader)
      parser.textureLoader = decoder as unknown as ImageBitmapLoader;
    return new InPlaceBufferLoader(glb);
  });
  try {
    // The loader takes a document as an object too, though its types do not say so.
    const { scene } = await loader.parseAsync(
      prepareGltf(glb.gltf, ANIMATED_BLENDSHAPES) as unknown as string,
      '',
    );
    return { model: scene, statistics: countGlbContents(glb), bytes: file.byteLength };
  } finally {
    decoder.close();
  }
}

/**
 * Gives the loader the pieces of a GLB that is open already. By itself it would copy the whole file once, in one go,
 * blendshapes that nobody moves included.
 */
class InPlaceBufferLoader implements GLTFLoaderPlugin {
  readonly name = 'in-place';
  readonly #glb: Glb;

  constructor(glb: Glb) {
    this.#glb = glb;
  }

  loadBufferView(index: number): Promise<ArrayBuffer> | null {
    const { extensions } = this.#glb.gltf.bufferViews?.[index] ?? {};
    const bytes = extensions === undefined ? bufferViewBytes(this.#glb, index) : null;
    // What is packed in another way, or lies elsewhere, others must find.
    return bytes && Promise.resolve(bytes.slice().buffer as ArrayBuffer);
  }
}
