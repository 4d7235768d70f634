// The contract with three.js: loading relies on internals of `GLTFLoader` that no type promises.
import { ImageBitmapLoader, type Mesh, REVISION, Texture, type WebGLRenderer } from 'three';
import { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';
import type { KTX2Loader } from 'three/addons/loaders/KTX2Loader.js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { generateGlb, SMALL_GLB } from '../../e2e/generated-glb';
import { dependencies } from '../../package.json';
import { loadDecoders } from './decoders';
import { ANIMATED_BLENDSHAPES } from './expression';
import type { Gltf } from './gltf';
import { loadAvatar, MAX_LOADING_MILLISECONDS } from './load-avatar';

vi.mock('./decoders', { spy: true });
afterEach(() => vi.unstubAllGlobals());

const glb = generateGlb({ ...SMALL_GLB, pictures: 1 });
const never = new AbortController().signal;
// Asked only by the decoder of KTX2 textures.
const renderer = {} as WebGLRenderer;

it('uses the version that the code was written against', () => {
  expect(dependencies.three).toBe('0.187.0');
  expect(REVISION).toBe('187');
});

/** Lets the avatar be these bytes, and images be decoded by a worker. Returns what is requested and decoded. */
function serveAvatar(file: Uint8Array) {
  const requested: string[] = [];
  const decoded: Uint8Array[] = [];
  class FakeWorker {
    onmessage: ((event: { data: object }) => void) | null = null;
    onerror: (() => void) | null = null;
    postMessage(request: ArrayBuffer | { id: number; bytes: Uint8Array }) {
      queueMicrotask(() => {
        // The worker that opens documents does not start here.
        if (request instanceof ArrayBuffer) return this.onerror?.();
        decoded.push(request.bytes);
        this.onmessage?.({ data: { id: request.id, bitmap: { width: 1, height: 1, close() {} } } });
      });
    }
    terminate() {}
  }
  vi.stubGlobal('Worker', FakeWorker);
  vi.stubGlobal('createImageBitmap', () => Promise.reject(new Error('decoded on the main thread')));
  vi.stubGlobal('fetch', async (request: string | Request) => {
    requested.push(typeof request === 'string' ? request : request.url);
    return new Response(new Uint8Array(file), { headers: { 'x-file-size': String(file.byteLength) } });
  });
  return { requested, decoded };
}

it('loads the animated blendshapes alone, and decodes textures in the worker', async () => {
  const { decoded } = serveAvatar(glb);
  const { model, statistics, bytes } = await loadAvatar('avatar://a/avatar.glb', never, renderer);
  expect(bytes).toBe(glb.byteLength);
  // The whole file is counted, the animated part of it is loaded.
  expect(statistics.blendshapes).toBe(52);
  const names: string[] = [];
  model.traverse((object) => names.push(...Object.keys((object as Mesh).morphTargetDictionary ?? {})));
  expect(names.length).toBeGreaterThan(0);
  expect(names.every((name) => ANIMATED_BLENDSHAPES.has(name))).toBe(true);
  expect(decoded).toHaveLength(1);
  expect([...(decoded[0] ?? [])].slice(1, 4)).toEqual([0x50, 0x4e, 0x47]);
});

/** A glTF document of one triangle, with its bytes in it, and with this in addition. */
function triangleDocument(more: Gltf): Uint8Array {
  const positions = new Uint8Array(Float32Array.of(0, 0, 0, 1, 0, 0, 0, 1, 0).buffer);
  const uri = `data:application/octet-stream;base64,${Buffer.from(positions).toString('base64')}`;
  return new TextEncoder().encode(
    JSON.stringify({
      asset: { version: '2.0' },
      nodes: [{ mesh: 0 }],
      meshes: [{ primitives: [{ attributes: { POSITION: 0 }, material: 0 }] }],
      accessors: [{ bufferView: 0, componentType: 5126, type: 'VEC3', count: 3 }],
      bufferViews: [{ buffer: 0, byteLength: 36 }, ...(more.bufferViews ?? [])],
      buffers: [{ uri, byteLength: 36 }, ...(more.buffers ?? [])],
      ...(({ bufferViews: _, buffers: __, ...rest }) => rest)(more),
    }),
  );
}

describe('an address in the file is never requested', () => {
  const elsewhere = 'http://127.0.0.1:18999/image.png';
  const png = 'data:image/png;base64,iVBORw==';
  const materials = [
    {
      pbrMetallicRoughness: { baseColorTexture: { index: 0 } },
      emissiveTexture: { index: 1 },
      normalTexture: { index: 2 },
      occlusionTexture: { index: 3 },
    },
  ];
  const textures = [
    { source: 0 },
    { source: 1 },
    { source: 2 },
    { source: 0, extensions: { EXT_texture_webp: { source: 3 } } },
  ];

  it('as an image', async () => {
    const images = [
      { uri: png },
      { uri: elsewhere },
      { uri: 'avatar://localhost/booth/logo.png' },
      { uri: 'blob:http://localhost/1' },
    ];
    const { requested, decoded } = serveAvatar(triangleDocument({ materials, textures, images }));
    const { model } = await loadAvatar('avatar://a/avatar.gltf', never, renderer);
    expect(model.children).toHaveLength(1);
    expect(requested).toEqual(['avatar://a/avatar.gltf?from=0']);
    expect(decoded.map((bytes) => [...bytes])).toEqual([[0x89, 0x50, 0x4e, 0x47]]);
  });

  it('as a KTX2 texture', async () => {
    const ktx2 = { parse: vi.fn(), setWorkerLimit: vi.fn(), dispose: vi.fn(), isKTX2Loader: true };
    vi.mocked(loadDecoders).mockResolvedValueOnce({
      draco: null,
      ktx2: ktx2 as unknown as KTX2Loader,
      meshopt: null,
      close: vi.fn(),
    });
    const basis = (source: number) => ({ source: 0, extensions: { KHR_texture_basisu: { source } } });
    const images = [{ uri: png }, { uri: elsewhere }, { uri: 'data:image/ktx2;base64,AQI=' }];
    ktx2.parse.mockImplementation((_: ArrayBuffer, done: (texture: Texture) => void) => done(new Texture()));
    const document = triangleDocument({ materials, textures: [1, 2, 1, 2].map(basis), images });
    const { requested } = serveAvatar(document);
    await loadAvatar('avatar://a/avatar.gltf', never, renderer);
    expect(requested).toEqual(['avatar://a/avatar.gltf?from=0']);
    expect(ktx2.parse.mock.calls.map(([bytes]) => [...new Uint8Array(bytes)])).toEqual([[1, 2]]);
  });

  it('as a buffer', async () => {
    const bufferViews = [{ buffer: 1, byteLength: 36 }];
    const accessors = [{ bufferView: 1, componentType: 5126, type: 'VEC3', count: 3 }];
    const document = triangleDocument({
      buffers: [{ uri: elsewhere, byteLength: 36 }],
      bufferViews,
      accessors,
      materials: [{}],
    });
    const { requested } = serveAvatar(document);
    await expect(loadAvatar('avatar://a/avatar.gltf', never, renderer)).rejects.toThrow(/not delivered/);
    expect(requested).toEqual(['avatar://a/avatar.gltf?from=0']);
  });
});

describe('loading ends', () => {
  /** Loads an avatar whose image is never decoded. */
  async function startEndlessLoading(signal: AbortSignal) {
    serveAvatar(glb);
    const terminate = vi.fn();
    const asked = vi.fn();
    vi.stubGlobal(
      'Worker',
      class {
        postMessage = asked;
        terminate = terminate;
      },
    );
    const loading = loadAvatar('avatar://a/avatar.glb', signal, renderer);
    const ended = loading.then(
      () => 'loaded',
      (error: unknown) => error,
    );
    await vi.waitFor(() => expect(asked).toHaveBeenCalled());
    return { ended, terminate };
  }

  it('when the visitor leaves, with its worker', async () => {
    const leaving = new AbortController();
    const { ended, terminate } = await startEndlessLoading(leaving.signal);
    expect(terminate).not.toHaveBeenCalled();
    leaving.abort();
    expect(await ended).toBe(leaving.signal.reason);
    expect(terminate).toHaveBeenCalled();
  });

  it('when it takes too long, with its worker', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { ended, terminate } = await startEndlessLoading(never);
      vi.advanceTimersByTime(MAX_LOADING_MILLISECONDS);
      expect(String(await ended)).toMatch(/took longer than 60 s/);
      expect(terminate).toHaveBeenCalled();
    } finally {
      vi.useRealTimers();
    }
  });
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
