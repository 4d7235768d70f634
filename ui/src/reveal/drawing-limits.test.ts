import { type BufferAttribute, BufferGeometry, Group, InstancedMesh, Mesh } from 'three';
import { expect, it } from 'vitest';
import { checkDocumentTriangleLimit, checkLoadedModelTriangleLimit } from './drawing-limits';
import type { Gltf, GltfPrimitive } from './gltf';
import { prepareGltf } from './prepare-gltf';

it('refuses a model whose triangles would take seconds to draw, however few bytes they have', () => {
  const geometry = new BufferGeometry();
  geometry.index = { count: 3_000_000 } as BufferAttribute;
  geometry.attributes.position = { count: 100 } as BufferAttribute;
  const part = () => Object.assign(new Mesh(), { geometry });
  const model = new Group().add(part(), part());
  checkLoadedModelTriangleLimit(model);
  // Shared bytes are drawn each time.
  for (let i = 0; i < 9; i += 1) model.add(part());
  expect(() => checkLoadedModelTriangleLimit(model)).toThrow(/more than 10000000 triangles/);
  const crowd = Object.assign(new InstancedMesh(undefined, undefined, 100), { geometry });
  expect(() => checkLoadedModelTriangleLimit(new Group().add(crowd))).toThrow(/more than 10000000 triangles/);
  const unindexed = new BufferGeometry();
  unindexed.attributes.position = { count: 30_000_003 } as BufferAttribute;
  expect(() => checkLoadedModelTriangleLimit(Object.assign(new Mesh(), { geometry: unindexed }))).toThrow();
});

/** A document of parts that share accessors: two million vertices, three million indices, three vertices. */
function documentOf(primitives: GltfPrimitive[], nodes: Gltf['nodes'] = [{ mesh: 0 }]): Gltf {
  const vertices = { componentType: 5126, type: 'VEC3' };
  return {
    meshes: [{ primitives }],
    nodes,
    accessors: [
      { ...vertices, count: 2_000_000 },
      { componentType: 5125, type: 'SCALAR', count: 3_000_000 },
      { ...vertices, count: 3 },
    ],
  };
}

it('refuses a document whose parts share the vertices of many triangles', () => {
  const attributes = { POSITION: 0 };
  const strip = { attributes, mode: 5 };
  const list = { attributes, indices: 1 };
  const instanced = { mesh: 0, extensions: { EXT_mesh_gpu_instancing: { attributes: { TRANSLATION: 2 } } } };
  for (const document of [
    documentOf(Array(6).fill(strip)),
    documentOf(Array(6).fill({ attributes, mode: 6 })),
    documentOf(Array(6).fill(strip), []),
    documentOf(Array(11).fill(list)),
    documentOf([list], Array(11).fill({ mesh: 0 })),
    documentOf(Array(4).fill(list), [instanced]),
    documentOf(Array(16).fill({ attributes })),
  ])
    expect(() => prepareGltf(document, new Set())).toThrow(/more than 10000000 triangles/);
  checkDocumentTriangleLimit(documentOf(Array(10).fill(list)));
  checkDocumentTriangleLimit(documentOf([list, { attributes }, strip, {}, { indices: 99 }]));
});

it('counts the indices that are made of strips and fans as memory', () => {
  const strip = { attributes: { POSITION: 0 }, mode: 5 };
  const document = documentOf(Array(5).fill(strip));
  expect(() => prepareGltf(document, new Set())).not.toThrow();
  const more = { componentType: 5126, type: 'VEC3', count: 5_000_000 };
  document.accessors?.push(more);
  expect(() => prepareGltf(document, new Set())).toThrow(/meshes unpack to more than 200000000 bytes/);
});
