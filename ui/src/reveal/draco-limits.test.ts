import draco3d from 'draco3dgltf';
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

const createEdgebreakerHeader = (vertices: number, faces: number, seams = 0) =>
  createDracoHeader(EDGEBREAKER, [0, ...toVarint(vertices), ...toVarint(faces), seams]);

it('the size of a Draco mesh is in its header', () => {
  expect(readDracoSize(createEdgebreakerHeader(251_001, 500_000, 1))).toEqual({
    vertices: 251_001,
    faces: 500_000,
    hasSeams: true,
    attributes: null,
  });
  const sequential = [...toVarint(2 ** 32 - 1), ...toVarint(7)];
  expect(readDracoSize(createDracoHeader(SEQUENTIAL, sequential))).toMatchObject({
    vertices: 7,
    faces: 2 ** 32 - 1,
  });
  expect(readDracoSize(createDracoHeader(POINT_CLOUD, [1, 2, 0, 0]))).toMatchObject({
    vertices: 513,
    faces: 0,
  });
  const entry = [1, ...ascii('n'), 2, 0xff, 0xff];
  const metadata = [
    // One attribute, with a value, and with a value in named metadata below.
    ...[1, 9, 1, ...entry, 1, 2, ...ascii('in'), 1, ...entry, 0],
    // The whole geometry, with two below.
    ...[0, 2, 1, ...ascii('a'), 0, 0, 1, ...ascii('b'), 1, ...entry, 0],
  ];
  expect(readDracoSize(createDracoHeader(SEQUENTIAL, [3, 5], metadata))).toMatchObject({
    vertices: 5,
    faces: 3,
  });
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
    expect(readDracoSize(bufferViewBytes(file, draco?.bufferView ?? -1) ?? new Uint8Array())).toMatchObject(
      size,
    );
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
    expect(() => new DracoBudget().countMesh(file)).toThrow(/size of a Draco mesh is unknown/);
});

it('Draco meshes are counted together, with ten attributes where they cannot be read', () => {
  const budget = new DracoBudget();
  const mesh = createEdgebreakerHeader(150_000, 300_000);
  for (let i = 0; i < 7; i += 1) budget.countMesh(mesh);
  expect(() => budget.countMesh(mesh)).toThrow(/meshes unpack to more than 200000000 bytes/);
  expect(() => new DracoBudget().countMesh(createEdgebreakerHeader(3, 20_000_000))).toThrow(/more than/);
  expect(() => new DracoBudget().countMesh(createEdgebreakerHeader(1_300_000, 1))).toThrow(/more than/);
  // Each corner of a face may have its own texture coordinates.
  expect(() => new DracoBudget().countMesh(createEdgebreakerHeader(3, 500_000, 1))).toThrow(/more than/);
});

/** What the tests use of the encoder. */
interface DracoEncoderModule {
  Encoder: new () => {
    SetEncodingMethod(method: number): void;
    SetSpeedOptions(encoding: number, decoding: number): void;
    EncodeMeshToDracoBuffer(mesh: object, into: object): number;
  };
  MeshBuilder: new () => {
    AddFacesToMesh(mesh: object, faces: number, indices: Uint32Array): void;
    AddFloatAttributeToMesh(
      mesh: object,
      kind: number,
      points: number,
      parts: number,
      values: Float32Array,
    ): void;
  };
  Mesh: new () => object;
  DracoInt8Array: new () => { GetValue(index: number): number };
}

/** A file of a sheet of `side` × `side` points, with these numbers of values in its attributes. */
function encodeDracoSheet(
  module: DracoEncoderModule,
  [method, speed, side]: readonly [method: number, speed: number, side: number],
  attributes: number[],
): Uint8Array {
  const [mesh, builder, encoder] = [new module.Mesh(), new module.MeshBuilder(), new module.Encoder()];
  const points = side * side;
  const indices: number[] = [];
  for (let at = 0; at < points - side; at += 1)
    if (at % side < side - 1 && at % 17 !== 3)
      indices.push(at, at + 1, at + side, at + 1, at + side + 1, at + side);
  builder.AddFacesToMesh(mesh, indices.length / 3, Uint32Array.from(indices));
  attributes.forEach((parts, kind) => {
    const values = Float32Array.from({ length: points * parts }, (_, i) =>
      kind === 0 ? i : (i * (kind + 7)) % 31,
    );
    builder.AddFloatAttributeToMesh(mesh, Math.min(kind, 4), points, parts, values);
  });
  encoder.SetEncodingMethod(method);
  encoder.SetSpeedOptions(speed, speed);
  const file = new module.DracoInt8Array();
  const length = encoder.EncodeMeshToDracoBuffer(mesh, file);
  return Uint8Array.from({ length }, (_, i) => file.GetValue(i));
}

it('all attributes in a Draco file are counted, however it is encoded', async () => {
  const module = (await draco3d.createEncoderModule()) as DracoEncoderModule;
  const many = [3, 3, 4, 2, ...Array(17).fill(4)];
  // Their numbers of points are written in one, two and four bytes.
  // Their numbers of points are written in one, two and four bytes.
  for (const [speed, side] of [
    [0, 40],
    [3, 4],
    [5, 260],
    [10, 40],
  ] as const)
    for (const method of [0, 1]) {
      const attributes = side === 260 ? [3, 2] : many;
      const file = encodeDracoSheet(module, [method, speed, side], attributes);
      expect(readDracoSize(file)?.attributes).toEqual(attributes.map((parts) => parts * 4));
    }
  const file = encodeDracoSheet(module, [0, 5, 40], many);
  const budget = new DracoBudget();
  const countAgain = () => budget.countMesh(file);
  // 1,600 points of 21 attributes, and 3,000 triangles.
  for (let i = 0; i < 340; i += 1) countAgain();
  expect(() => {
    for (let i = 0; i < 20; i += 1) countAgain();
  }).toThrow(/more than/);
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
