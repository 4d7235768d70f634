// Reads an avatar's file without holding the screen: taken apart in place, and copied piece by piece as it is needed.
import type { ImageBitmapLoader, Object3D } from 'three';
import { GLTFLoader, type GLTFLoaderPlugin } from 'three/addons/loaders/GLTFLoader.js';
import { bodyOf } from './read-body';
import { Decoder } from './texture-decoder';
import { MOVED } from './expression';
import { bytesOf, type Glb, openGlb } from './glb-file';
import { lighten } from './prepare-gltf';
import { type Counted, count } from './avatar-statistics';

/** An avatar as it was read. */
export interface Loaded {
  model: Object3D;
  counted: Counted;
  bytes: number;
}

/** Fetches and reads the GLB; rejects when it cannot be had or read. */
export async function load(url: string, signal: AbortSignal): Promise<Loaded> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`the avatar’s file was not served: ${response.status}`);
  const file = await bodyOf(response, signal);
  const glb = openGlb(file);
  const decoder = new Decoder();
  const loader = new GLTFLoader().register((parser) => {
    // Where three.js does not trust the view with bitmaps, it keeps its own way.
    if ('isImageBitmapLoader' in parser.textureLoader)
      parser.textureLoader = decoder as unknown as ImageBitmapLoader;
    return new InPlace(glb);
  });
  try {
    // The loader takes a document as an object too, though its types do not say so.
    const { scene } = await loader.parseAsync(lighten(glb.gltf, MOVED) as unknown as string, '');
    return { model: scene, counted: count(glb), bytes: file.byteLength };
  } finally {
    decoder.close();
  }
}

/**
 * Gives the loader the pieces of a GLB that is open already. By itself it would copy the whole file once, in one go,
 * blendshapes that nobody moves included.
 */
class InPlace implements GLTFLoaderPlugin {
  readonly name = 'in-place';
  readonly #glb: Glb;

  constructor(glb: Glb) {
    this.#glb = glb;
  }

  loadBufferView(index: number): Promise<ArrayBuffer> | null {
    const { extensions } = this.#glb.gltf.bufferViews?.[index] ?? {};
    const bytes = extensions === undefined ? bytesOf(this.#glb, index) : null;
    // What is packed in another way, or lies elsewhere, others must find.
    return bytes && Promise.resolve(bytes.slice().buffer as ArrayBuffer);
  }
}
