import type { WebGLRenderer } from 'three';
import { afterEach, expect, it, vi } from 'vitest';
import { Ktx2Budget } from './ktx2-limits';
import { loadAvatar } from './load-avatar';

const parseKtx2 = vi.hoisted(() =>
  vi.fn((_: ArrayBuffer, __: unknown, failed: (e: Error) => void) => failed(new Error())),
);
vi.mock('./basis-without-eval', () => ({ removeEvalFromTranscoder: (source: string) => source }));
vi.mock('three/addons/loaders/KTX2Loader.js', () => ({
  KTX2Loader: class {
    readonly isKTX2Loader = true;
    parse(...args: Parameters<typeof parseKtx2>) {
      parseKtx2(...args);
    }
    detectSupport() {
      return this;
    }
    setWorkerLimit() {
      return this;
    }
    dispose() {}
  },
}));

afterEach(() => {
  vi.unstubAllGlobals();
  parseKtx2.mockClear();
});

interface Ktx2Header {
  width: number;
  height: number;
  depth?: number;
  layers?: number;
  faces?: number;
  scheme?: number;
  /** The stated size of each mipmap after decompression. */
  levels: bigint[];
}

const ZSTANDARD = 2;

/** A KTX2 file without its pixels. */
function createKtx2Header(header: Ktx2Header): Uint8Array<ArrayBuffer> {
  const { width, height, depth = 0, layers = 0, faces = 1, scheme = 0, levels } = header;
  const bytes = new Uint8Array(80 + 24 * levels.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xab4b5458);
  view.setUint32(4, 0x203230bb);
  view.setUint32(8, 0x0d0a1a0a);
  [37, 1, width, height, depth, layers, faces, levels.length, scheme].forEach((value, i) => {
    view.setUint32(12 + 4 * i, value, true);
  });
  levels.forEach((size, i) => {
    view.setBigUint64(80 + 24 * i + 16, size, true);
  });
  return bytes;
}

/** A texture of 4 × 4 pixels that unpacks to a gigabyte. */
const bomb = createKtx2Header({ width: 4, height: 4, scheme: ZSTANDARD, levels: [2n ** 30n] });
const texture = { width: 1024, height: 1024, scheme: ZSTANDARD, levels: [4n * 1024n ** 2n, 1024n ** 2n] };

it.each<[string, Ktx2Header]>([
  ['more pixels', { width: 8193, height: 8192, levels: [0n] }],
  [
    'more pixels than a number holds',
    { width: 2 ** 32 - 1, height: 2 ** 32 - 1, depth: 2 ** 32 - 1, levels: [0n] },
  ],
  ['more slices', { width: 4096, height: 4096, depth: 5, levels: [0n] }],
  ['more layers', { width: 4096, height: 4096, layers: 5, levels: [0n] }],
  ['more faces', { width: 4096, height: 4096, faces: 6, levels: [0n] }],
  ['more bytes', { width: 4, height: 4, levels: [2n ** 30n] }],
  ['more bytes in its mipmaps', { width: 4, height: 4, levels: Array(20).fill(10_000_001n) }],
  ['more bytes than a number holds', { width: 4, height: 4, levels: [2n ** 64n - 1n] }],
])('a KTX2 texture of %s than is allowed is refused', (_, header) => {
  expect(() => new Ktx2Budget().countTexture(createKtx2Header(header))).toThrow(/too large|unpack to more/);
});

it('a KTX2 texture of unknown size is refused', () => {
  for (const file of [
    new Uint8Array(50),
    createKtx2Header({ ...texture, levels: [] }).subarray(0, 80),
    createKtx2Header(texture).subarray(0, 100),
    // The decoder would take the size from the compressed data.
    createKtx2Header({ ...texture, levels: [0n] }),
  ])
    expect(() => new Ktx2Budget().countTexture(file)).toThrow(/size of a KTX2 texture is unknown/);
});

it('KTX2 textures are counted together', () => {
  for (const header of [texture, { width: 4096, height: 4096, scheme: 1, levels: [0n, 0n] }]) {
    const budget = new Ktx2Budget();
    const file = createKtx2Header(header);
    for (let i = 0; i < 10; i += 1) budget.countTexture(file);
    expect(() => {
      for (let i = 0; i < 40; i += 1) budget.countTexture(file);
    }).toThrow(/unpack to more than 200000000 bytes/);
  }
});

/** Loads a triangle whose texture is this KTX2 file, or a plain image. Returns what the image decoder was asked for. */
async function loadWithTexture(ktx2: Uint8Array): Promise<string[]> {
  const positions = new Float32Array([0, 0, 0, 1, 0, 0, 0, 1, 0]);
  const views = [new Uint8Array(positions.buffer), ktx2, new Uint8Array(8)];
  const uri = `data:;base64,${Buffer.concat(views).toString('base64')}`;
  const gltf = {
    asset: { version: '2.0' },
    extensionsUsed: ['KHR_texture_basisu'],
    scenes: [{ nodes: [0] }],
    nodes: [{ mesh: 0 }],
    meshes: [{ primitives: [{ attributes: { POSITION: 0 }, material: 0 }] }],
    accessors: [
      { bufferView: 0, componentType: 5126, count: 3, type: 'VEC3', min: [0, 0, 0], max: [1, 1, 0] },
    ],
    materials: [{ pbrMetallicRoughness: { baseColorTexture: { index: 0 } } }],
    textures: [{ source: 1, extensions: { KHR_texture_basisu: { source: 0 } } }],
    images: [
      { bufferView: 1, mimeType: 'image/ktx2' },
      { bufferView: 2, mimeType: 'image/png' },
    ],
    bufferViews: views.map(({ byteLength }, i) => ({
      buffer: 0,
      byteOffset: views.slice(0, i).reduce((sum, view) => sum + view.byteLength, 0),
      byteLength,
    })),
    buffers: [{ uri }],
  };
  const file = new TextEncoder().encode(JSON.stringify(gltf));
  const decoded: string[] = [];
  vi.stubGlobal(
    'fetch',
    async () => new Response(file, { headers: { 'x-file-size': String(file.byteLength) } }),
  );
  vi.stubGlobal('createImageBitmap', () => Promise.reject(new Error('decoded on the main thread')));
  vi.stubGlobal(
    'Worker',
    class {
      onmessage: ((event: { data: object }) => void) | null = null;
      constructor(url: URL) {
        if (String(url).includes('avatar-file')) throw new Error('opened on the main thread');
      }
      postMessage({ id }: { id: number }) {
        decoded.push('plain');
        queueMicrotask(() => this.onmessage?.({ data: { id, bitmap: { width: 1, height: 1, close() {} } } }));
      }
      terminate() {}
    },
  );
  await loadAvatar('avatar://a/avatar.gltf', new AbortController().signal, {} as WebGLRenderer);
  return decoded;
}

it('a KTX2 texture that unpacks to too much is not decoded, and the plain image is shown in its place', async () => {
  expect(await loadWithTexture(bomb)).toEqual(['plain']);
  expect(parseKtx2).not.toHaveBeenCalled();
  await loadWithTexture(createKtx2Header(texture));
  expect(parseKtx2).toHaveBeenCalledOnce();
});
