import { type BufferAttribute, BufferGeometry, Group, Mesh } from 'three';
import { describe, expect, it } from 'vitest';
import { checkDocumentLimits, checkImageLimits, checkLoadedModelBlendshapeLimits } from './document-limits';
import type { Gltf } from './gltf';
import { prepareGltf } from './prepare-gltf';

const meshes = [{ primitives: [{ attributes: { POSITION: 0 } }] }];
const meshoptView = (count: unknown, name = 'EXT_meshopt_compression') => ({
  byteLength: 36,
  extensions: { [name]: { count, byteStride: 12, byteLength: 36, mode: 'ATTRIBUTES' } },
});

it('refuses a small document whose meshes would fill the memory', () => {
  const vertices = { componentType: 5126, type: 'VEC3' };
  for (const document of [
    { bufferViews: [meshoptView(2 ** 27)] },
    { bufferViews: [meshoptView('134217728', 'KHR_meshopt_compression')] },
    // Each is below the limit.
    { bufferViews: Array(20).fill(meshoptView(2 ** 20)) },
    { accessors: [{ ...vertices, count: 2 ** 27 }] },
    { accessors: Array(40).fill({ ...vertices, count: 2 ** 20 }) },
    { accessors: [{ count: 2 ** 24, type: 'unknown' }] },
    { accessors: [{ ...vertices, count: 2 ** 80 }] },
    // Many share the bytes of the file, or have more than it.
    { accessors: Array(40).fill({ ...vertices, bufferView: 0, count: 2 ** 20 }) },
    { accessors: [{ ...vertices, bufferView: 0, count: 2 ** 40 }] },
  ])
    expect(() => prepareGltf({ ...document, meshes }, new Set())).toThrow(
      /unpack to more than 200000000 bytes/,
    );
});

it('accepts avatars, and numbers that are none', () => {
  const face = { componentType: 5126, type: 'VEC3', count: 26_000 };
  checkDocumentLimits({});
  checkDocumentLimits({
    bufferViews: Array(200).fill(meshoptView(26_000)),
    accessors: Array(200).fill(face),
  });
  checkDocumentLimits({ bufferViews: [meshoptView(-5), meshoptView(null), { extensions: {} }] });
});

it('refuses a document of so many objects that they would block the screen', () => {
  const triangle = { attributes: { POSITION: 0 } };
  for (const document of [
    { meshes, nodes: Array(5_001).fill({ mesh: 0 }) },
    { meshes, nodes: Array(10_001).fill({}) },
    { meshes: [{ primitives: Array(10_000).fill(triangle) }], nodes: [{ mesh: 0 }] },
    // Of these nothing is shown, and all is read.
    { meshes: [...meshes, { primitives: Array(10_000).fill(triangle) }], nodes: [{ mesh: 0 }] },
    { meshes: Array(10_001).fill({ primitives: [] }) },
    { meshes, skins: [{ joints: Array(10_001).fill(0) }] },
    { meshes, nodes: [{ children: Array(1_000_000).fill(1) }, {}] },
    // A node that shows its mesh many times.
    {
      meshes,
      accessors: [{ componentType: 5126, type: 'VEC3', count: 10_001 }],
      nodes: [{ mesh: 0, extensions: { EXT_mesh_gpu_instancing: { attributes: { TRANSLATION: 0 } } } }],
    },
  ])
    expect(() => prepareGltf(document, new Set())).toThrow(/more than 10000 nodes/);
  checkDocumentLimits({ meshes: [{ primitives: Array(9_999).fill(triangle) }], nodes: [{ mesh: 7 }] });
});

/** Overlapping ranges of one file. */
const overlapping = (count: number, byteLength = 190_000_000) => Array(count).fill({ buffer: 0, byteLength });
const vertex = { componentType: 5126, type: 'VEC3', count: 3 };
const byIndex = <T>(count: number, create: (index: number) => T) =>
  Array.from({ length: count }, (_, i) => create(i));

it('refuses a document whose ranges overlap, and would be copied again and again', () => {
  const dracoPrimitive = (bufferView: number) => ({
    attributes: { POSITION: 0 },
    extensions: { KHR_draco_mesh_compression: { bufferView, attributes: { POSITION: 0 } } },
  });
  for (const document of [
    {
      bufferViews: overlapping(20),
      accessors: byIndex(20, (bufferView) => ({ ...vertex, bufferView })),
      meshes,
    },
    {
      bufferViews: overlapping(2),
      accessors: [{ ...vertex, sparse: { indices: { bufferView: 0 }, values: { bufferView: 1 } } }],
      meshes,
    },
    {
      bufferViews: overlapping(20),
      accessors: [vertex],
      meshes: [{ primitives: byIndex(20, dracoPrimitive) }],
    },
    // One range, copied for each image.
    { bufferViews: overlapping(1), accessors: [vertex], images: Array(2).fill({ bufferView: 0 }), meshes },
    { bufferViews: overlapping(1, 1_000_000), images: Array(201).fill({ bufferView: 0 }), meshes },
    { bufferViews: overlapping(1, 1e300), accessors: [{ ...vertex, bufferView: 0 }], meshes },
  ])
    expect(() => prepareGltf(document, new Set())).toThrow(/overlapping ranges .* more than 200000000 bytes/);
});

it('accepts a large file whose ranges do not overlap, or are not used', () => {
  const byteLength = 60_000_000;
  checkDocumentLimits({
    bufferViews: [...overlapping(3, byteLength), ...overlapping(20)],
    // Several accessors in a range are copied once.
    accessors: [
      ...Array(50).fill({ ...vertex, bufferView: 0 }),
      { ...vertex, bufferView: 1 },
      { bufferView: 99 },
    ],
    images: [{ bufferView: 2 }, { uri: 'face.png' }],
  });
});

it('refuses ranges whose elements are far from each other', () => {
  const withStride = (byteStride: unknown) =>
    ({ bufferViews: [{ byteLength: 36, byteStride }], meshes }) as Gltf;
  for (const stride of [256, 200_000, 2, -4, 4.5, '200000'])
    expect(() => prepareGltf(withStride(stride), new Set())).toThrow(/byteStride is not from 4 to 252/);
  for (const stride of [undefined, null, 0, 4, 252]) checkDocumentLimits(withStride(stride));
});

it('counts interleaved values by the range that is uploaded, once for all that share it', () => {
  const bufferViews = [{ byteLength: 190_000_000, byteStride: 200 }];
  const part = (byteOffset: number, more = {}) => ({
    ...{ bufferView: 0, componentType: 5126, type: 'VEC3', count: 500_001, byteOffset },
    ...more,
  });
  checkDocumentLimits({ bufferViews, accessors: [part(0), part(12), part(24), part(36)] });
  for (const other of [
    part(0, { count: 500_002 }),
    part(0, { componentType: 5125 }),
    part(200),
    part(0, { sparse: {} }),
  ])
    expect(() => checkDocumentLimits({ bufferViews, accessors: [part(0), other, part(12)] })).toThrow(
      /unpack to more than 200000000 bytes/,
    );
});

it('refuses a file whose images share bytes, and would be copied again and again', () => {
  const picture = new Uint8Array(1_000_000);
  const withImages = (count: number) => ({
    gltf: { images: Array(count).fill({ uri: 'a.png' }) },
    buffers: [],
    images: new Map(byIndex(count, (i) => [i, picture])),
  });
  checkImageLimits(withImages(200));
  expect(() => checkImageLimits(withImages(201))).toThrow(/images have more than 200000000 bytes/);
});

describe('blendshapes', () => {
  const document = (count: number, targets: Record<string, number>[]) => ({
    accessors: [{ ...vertex, count }],
    meshes: [
      {
        primitives: [{ attributes: { POSITION: 0 }, targets }],
        extras: { targetNames: targets.map(() => 'jawOpen') },
      },
    ],
  });
  const kept = new Set(['jawOpen']);

  it.each<[string, Gltf]>([
    ['that share an accessor', document(8_000_000, Array(2_000).fill({ POSITION: 0 }))],
    ['with normals', document(100_000, Array(63).fill({ POSITION: 0, NORMAL: 0 }))],
    ['with colours', document(100_000, Array(63).fill({ POSITION: 0, COLOR_0: 0 }))],
    ['of which one has normals', document(100_000, [...Array(62).fill({ POSITION: 0 }), { NORMAL: 0 }])],
    [
      'in several meshes',
      {
        ...document(1, []),
        accessors: [{ ...vertex, count: 100_000 }],
        meshes: Array(3).fill(document(1, Array(52).fill({ POSITION: 0 })).meshes[0]),
      },
    ],
  ])('%s that would fill the memory are refused', (_, gltf) => {
    expect(() => prepareGltf(gltf, kept)).toThrow(/blendshapes unpack to more than 200000000 bytes/);
  });

  it('of a detailed head are accepted, and removed ones do not count', () => {
    const head = document(60_000, Array(52).fill({ POSITION: 0, NORMAL: 0 }));
    expect(prepareGltf(head, kept).gltf.meshes?.[0]?.primitives[0]?.targets).toHaveLength(52);
    expect(prepareGltf(document(1_000_000, Array(300).fill({ POSITION: 0 })), new Set())).toBeTruthy();
  });

  it('are limited in number', () => {
    const { gltf } = prepareGltf(document(3, Array(100_000).fill({ POSITION: 0 })), kept);
    const [mesh] = gltf.meshes ?? [];
    expect(mesh?.primitives[0]?.targets).toHaveLength(256);
    expect(mesh?.extras?.targetNames).toHaveLength(256);
  });

  it('of a loaded model are refused when it has more vertices than its document says', () => {
    const model = new Group();
    const addFace = (count: number, targets: number) => {
      const geometry = new BufferGeometry();
      geometry.attributes.position = { count } as BufferAttribute;
      geometry.morphAttributes.position = Array(targets).fill(geometry.attributes.position);
      const face = new Mesh(undefined, undefined);
      face.geometry = geometry;
      // The same geometry counts once.
      model.add(face, face.clone());
    };
    addFace(100_000, 52);
    addFace(100_000, 0);
    checkLoadedModelBlendshapeLimits(model);
    addFace(250_000, 52);
    expect(() => checkLoadedModelBlendshapeLimits(model)).toThrow(
      /blendshapes unpack to more than 200000000 bytes/,
    );
  });
});
