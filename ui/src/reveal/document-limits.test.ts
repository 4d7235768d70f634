import { expect, it } from 'vitest';
import { checkDocumentLimits } from './document-limits';
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
    { meshes, skins: [{ joints: Array(10_001).fill(0) }] },
    { meshes, nodes: [{ children: Array(1_000_000).fill(1) }, {}] },
  ])
    expect(() => prepareGltf(document, new Set())).toThrow(/more than 10000 nodes/);
  // Only what is shown counts.
  checkDocumentLimits({ meshes: [{ primitives: Array(10_000).fill(triangle) }], nodes: [{ mesh: 7 }] });
});
