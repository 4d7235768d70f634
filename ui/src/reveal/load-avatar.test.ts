// The contract with three.js: loading relies on internals of `GLTFLoader` that no type promises.
import { ImageBitmapLoader, type Mesh, REVISION, type WebGLRenderer } from 'three';
import { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';
import { afterEach, expect, it, vi } from 'vitest';
import { generateGlb, SMALL_GLB } from '../../e2e/generated-glb';
import { dependencies } from '../../package.json';
import { ANIMATED_BLENDSHAPES } from './expression';
import { loadAvatar } from './load-avatar';

afterEach(() => vi.unstubAllGlobals());

const glb = generateGlb({ ...SMALL_GLB, pictures: 1 });
const never = new AbortController().signal;
// Asked only by the decoder of KTX2 textures.
const renderer = {} as WebGLRenderer;

it('uses the version that the code was written against', () => {
  expect(dependencies.three).toBe('0.187.0');
  expect(REVISION).toBe('187');
});

it('loads the animated blendshapes alone, and decodes textures in the worker', async () => {
  const decoded: string[] = [];
  class FakeWorker {
    onmessage: ((event: { data: object }) => void) | null = null;
    onerror: (() => void) | null = null;
    postMessage({ id, url }: { id: number; url: string }) {
      decoded.push(url);
      queueMicrotask(() => this.onmessage?.({ data: { id, bitmap: { width: 1, height: 1, close() {} } } }));
    }
    terminate() {}
  }
  vi.stubGlobal('Worker', FakeWorker);
  // Without it, three.js falls back to image elements.
  vi.stubGlobal('createImageBitmap', () => Promise.reject(new Error('decoded on the main thread')));
  vi.stubGlobal(
    'fetch',
    async () => new Response(new Uint8Array(glb), { headers: { 'x-file-size': String(glb.byteLength) } }),
  );
  const { model, statistics, bytes } = await loadAvatar('avatar://a/avatar.glb', never, renderer);
  expect(bytes).toBe(glb.byteLength);
  // The whole file is counted, the animated part of it is loaded.
  expect(statistics.blendshapes).toBe(52);
  const names: string[] = [];
  model.traverse((object) => names.push(...Object.keys((object as Mesh).morphTargetDictionary ?? {})));
  expect(names.length).toBeGreaterThan(0);
  expect(names.every((name) => ANIMATED_BLENDSHAPES.has(name))).toBe(true);
  expect(decoded).toHaveLength(1);
  expect(decoded[0]).toMatch(/^blob:/);
});

it('finds the internals where it expects them', async () => {
  vi.stubGlobal('createImageBitmap', () => Promise.resolve({}));
  let textureLoader: unknown;
  const views: number[] = [];
  const loader = new GLTFLoader().register((parser) => {
    textureLoader = parser.textureLoader;
    return {
      name: 'probe',
      loadBufferView: (index: number) => {
        views.push(index);
        return Promise.resolve(new ArrayBuffer(12));
      },
    };
  });
  const gltf = {
    asset: { version: '2.0' },
    scene: 0,
    scenes: [{ nodes: [0] }],
    nodes: [{ mesh: 0 }],
    meshes: [{ primitives: [{ attributes: { POSITION: 0 }, mode: 0 }] }],
    accessors: [
      { bufferView: 0, componentType: 5126, count: 1, type: 'VEC3', min: [0, 0, 0], max: [0, 0, 0] },
    ],
    bufferViews: [{ buffer: 0, byteLength: 12 }],
    buffers: [{ byteLength: 12 }],
  };
  // A document as an object, and the buffer views from a plugin.
  const { scene } = await loader.parseAsync(gltf as unknown as string, '');
  expect(scene.children).toHaveLength(1);
  expect(views).toEqual([0]);
  expect(textureLoader).toBeInstanceOf(ImageBitmapLoader);
});
