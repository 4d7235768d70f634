import type { WebGLRenderer } from 'three';
import { afterEach, expect, it, vi } from 'vitest';
import { compressGlb } from '../../e2e/compressed-glb';
import { generateGlb, SMALL_GLB } from '../../e2e/generated-glb';
import { assembleAvatarFile, bufferViewBytes } from './avatar-file';
import { loadDecoders } from './decoders';
import { DracoBudget, readDracoSize } from './draco-limits';
import { parseGlb } from './glb-file';

afterEach(() => vi.unstubAllGlobals());

const POINT_CLOUD = [0, 0];
const SEQUENTIAL = [1, 0];
const EDGEBREAKER = [1, 1];

const ascii = (text: string) => [...text].map((sign) => sign.charCodeAt(0));

/** A number of 7 bits a byte, the lowest first. */
function toVarint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...toVarint(Math.floor(value / 128))];
}

/** A Draco file of version 2.2 without its data. */
function createDracoHeader(kind: number[], rest: number[], metadata: number[] = []): Uint8Array<ArrayBuffer> {
  const flags = [0, metadata.length > 0 ? 0x80 : 0];
  return Uint8Array.from([...ascii('DRACO'), 2, 2, ...kind, ...flags, ...metadata, ...rest]);
}

const createEdgebreakerHeader = (vertices: number, faces: number) =>
  createDracoHeader(EDGEBREAKER, [0, ...toVarint(vertices), ...toVarint(faces)]);

it('the size of a Draco mesh is in its header', () => {
  expect(readDracoSize(createEdgebreakerHeader(251_001, 500_000))).toEqual({
    vertices: 251_001,
    faces: 500_000,
  });
  const sequential = [...toVarint(2 ** 32 - 1), ...toVarint(7)];
  expect(readDracoSize(createDracoHeader(SEQUENTIAL, sequential))).toEqual({
    vertices: 7,
    faces: 2 ** 32 - 1,
  });
  expect(readDracoSize(createDracoHeader(POINT_CLOUD, [1, 2, 0, 0]))).toEqual({ vertices: 513, faces: 0 });
  const entry = [1, ...ascii('n'), 2, 0xff, 0xff];
  const metadata = [
    // One attribute, with a value, and with a value in named metadata below.
    ...[1, 9, 1, ...entry, 1, 2, ...ascii('in'), 1, ...entry, 0],
    // The whole geometry, with two below.
    ...[0, 2, 1, ...ascii('a'), 0, 0, 1, ...ascii('b'), 1, ...entry, 0],
  ];
  expect(readDracoSize(createDracoHeader(SEQUENTIAL, [3, 5], metadata))).toEqual({ vertices: 5, faces: 3 });
});

it('the size of a mesh is what an encoder was given', async () => {
  const glb = await compressGlb(new Uint8Array(generateGlb(SMALL_GLB)), 'draco');
  const { gltf, binary } = parseGlb(Uint8Array.from(glb).buffer);
  const file = assembleAvatarFile(gltf, binary);
  const countOf = (accessor: number | undefined) => gltf.accessors?.[accessor ?? -1]?.count ?? 0;
  const primitives = (gltf.meshes ?? []).flatMap((mesh) => mesh.primitives);
  expect(primitives.length).toBeGreaterThan(0);
  for (const { attributes, indices, extensions } of primitives) {
    const draco = extensions?.KHR_draco_mesh_compression as { bufferView: number } | undefined;
    const size = { vertices: countOf(attributes?.POSITION), faces: countOf(indices) / 3 };
    expect(readDracoSize(bufferViewBytes(file, draco?.bufferView ?? -1) ?? new Uint8Array())).toEqual(size);
  }
});

it('a Draco mesh of unknown size is refused', () => {
  const mesh = createEdgebreakerHeader(3, 1);
  const change = (at: number, value: number) => mesh.map((byte, i) => (i === at ? value : byte));
  for (const file of [
    ...[...mesh.keys()].map((length) => mesh.subarray(0, length)),
    // Another format, version, kind or method.
    ...[change(0, 0), change(5, 1), change(6, 3), change(7, 2), change(8, 2)],
    createDracoHeader(SEQUENTIAL, Array(100).fill(0xff)),
    createDracoHeader(SEQUENTIAL, [1, 3], Array(100).fill(0xff)),
  ])
    expect(() => new DracoBudget().countMesh(file, 1)).toThrow(/size of a Draco mesh is unknown/);
});

it('Draco meshes are counted together', () => {
  const budget = new DracoBudget();
  const mesh = createEdgebreakerHeader(500_000, 1_000_000);
  for (let i = 0; i < 5; i += 1) budget.countMesh(mesh, 3);
  expect(() => budget.countMesh(mesh, 3)).toThrow(/meshes unpack to more than 200000000 bytes/);
  expect(() => new DracoBudget().countMesh(createEdgebreakerHeader(3, 20_000_000), 1)).toThrow(/more than/);
  expect(() => new DracoBudget().countMesh(createEdgebreakerHeader(5_000_000, 1), 4)).toThrow(/more than/);
});

it('a Draco mesh that unpacks to too much is not decoded', async () => {
  const started = vi.fn();
  vi.stubGlobal('Worker', started);
  const { draco, close } = await loadDecoders(new Set(['KHR_draco_mesh_compression']), {} as WebGLRenderer);
  // What `GLTFLoader` calls; it is not in the types.
  const decoder = draco as unknown as {
    decodeDracoFile(file: ArrayBuffer, ...rest: unknown[]): Promise<void>;
  };
  const failed = vi.fn();
  const file = createEdgebreakerHeader(10_000_000, 20_000_000).buffer;
  await decoder.decodeDracoFile(file, () => {}, { position: 0 }, { position: 'Float32Array' }, '', failed);
  expect(String(failed.mock.calls)).toMatch(/meshes unpack to more than 200000000 bytes/);
  expect(started).not.toHaveBeenCalled();
  close();
});
