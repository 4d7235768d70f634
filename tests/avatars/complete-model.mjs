// A small valid model in which each part of glTF occurs that an avatar may have.

import { binaryChunk, container, jsonChunk } from './glb.mjs';

/** A PNG of one pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
);
/** A WebP of one pixel. */
const WEBP = Buffer.from('UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==', 'base64');

const FLOAT = 5126;
const UNSIGNED_BYTE = 5121;
const UNSIGNED_SHORT = 5123;
const BYTE = 5120;
const COMPONENTS = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4, MAT4: 16 };
const ARRAYS = { [FLOAT]: Float32Array, [UNSIGNED_BYTE]: Uint8Array, [UNSIGNED_SHORT]: Uint16Array, [BYTE]: Int8Array };

/** Collects the binary chunk, its buffer views and its accessors. */
class Data {
  bytes = Buffer.alloc(0);
  views = [];
  accessors = [];

  view(body, rest = {}) {
    const byteOffset = this.bytes.length;
    this.bytes = Buffer.concat([this.bytes, body, Buffer.alloc(-body.length & 3)]);
    return this.views.push({ buffer: 0, byteOffset, byteLength: body.length, ...rest }) - 1;
  }

  accessor(type, componentType, values, rest = {}) {
    const { bounds, target, stride, ...properties } = rest;
    const components = COMPONENTS[type];
    let body = Buffer.from(new ARRAYS[componentType](values).buffer);
    const count = values.length / components;
    if (stride) {
      const element = body.length / count;
      body = Buffer.concat([...Array(count).keys()].map((index) =>
        Buffer.concat([body.subarray(index * element, (index + 1) * element), Buffer.alloc(stride - element)])));
    }
    const bufferView = this.view(body, { ...(target && { target }), ...(stride && { byteStride: stride }) });
    const accessor = { bufferView, componentType, type, count, ...properties };
    if (bounds) {
      const columns = [...Array(components).keys()].map((at) => values.filter((_, index) => index % components === at).map(Math.fround));
      accessor.min = columns.map((column) => Math.min(...column));
      accessor.max = columns.map((column) => Math.max(...column));
    }
    return this.accessors.push(accessor) - 1;
  }
}

/** The document and the binary chunk of the model. */
export function completeModel() {
  const data = new Data();
  const vertices = { target: 34962 };
  const POSITION = data.accessor('VEC3', FLOAT, [0, 0, 0, 1, 0, 0, 0, 1, 0], { bounds: true, ...vertices });
  const NORMAL = data.accessor('VEC3', FLOAT, [0, 0, 1, 0, 0, 1, 0, 0.6, 0.8], vertices);
  const TANGENT = data.accessor('VEC4', FLOAT, [1, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, -1], vertices);
  const TEXCOORD_0 = data.accessor('VEC2', FLOAT, [0, 0, 1, 0, 0, 1], vertices);
  const TEXCOORD_1 = data.accessor('VEC2', UNSIGNED_SHORT, [0, 0, 65535, 0, 0, 65535], { normalized: true, bounds: true, ...vertices });
  const COLOR_0 = data.accessor('VEC4', FLOAT, [0, 0, 0, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5], vertices);
  const JOINTS_0 = data.accessor('VEC4', UNSIGNED_BYTE, [0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], vertices);
  const WEIGHTS_0 = data.accessor('VEC4', FLOAT, [0.25, 0.75, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], vertices);
  const custom = data.accessor('SCALAR', UNSIGNED_BYTE, [1, 2, 3], { stride: 4, ...vertices });
  const indices = data.accessor('SCALAR', UNSIGNED_SHORT, [0, 1, 2], { bounds: true, target: 34963 });
  const moved = data.accessor('VEC3', FLOAT, [0, 0, 0, 0, 0, 0.5, 0, 0, 0], { bounds: true, ...vertices });
  const bindMatrix = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  const inverseBindMatrices = data.accessor('MAT4', FLOAT, [...bindMatrix, ...bindMatrix]);
  const times = data.accessor('SCALAR', FLOAT, [0, 1], { bounds: true });
  const moves = data.accessor('VEC3', FLOAT, [0, 0, 0, 0, 0, 1]);
  const turns = data.accessor('VEC4', FLOAT, [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
  const smallTurns = data.accessor('VEC4', BYTE, [0, 0, 0, 127, 127, 0, 0, 0], { normalized: true });
  const weights = data.accessor('SCALAR', FLOAT, [0, 1, 1, 0]);
  const sparseIndices = data.view(Buffer.from(new Uint16Array([0, 2]).buffer));
  const sparseValues = data.view(Buffer.from(new Float32Array([0, 0, 1, 0, 1, 0]).buffer));
  const sparse = data.accessors.push({
    componentType: FLOAT,
    type: 'VEC3',
    count: 3,
    min: [0, 0, 0],
    max: [0, 1, 1],
    sparse: {
      count: 2,
      indices: { bufferView: sparseIndices, byteOffset: 0, componentType: UNSIGNED_SHORT },
      values: { bufferView: sparseValues, byteOffset: 0 },
    },
  }) - 1;
  const png = data.view(PNG);
  const webp = data.view(WEBP);
  const document = {
    asset: { version: '2.0', minVersion: '2.0', generator: 'test' },
    extensionsUsed: [
      'EXAMPLE_unknown', 'EXT_texture_webp', 'KHR_lights_punctual', 'KHR_materials_anisotropy', 'KHR_materials_clearcoat',
      'KHR_materials_ior', 'KHR_materials_unlit', 'KHR_materials_variants', 'KHR_mesh_quantization',
      'KHR_texture_transform',
    ],
    extensionsRequired: ['KHR_mesh_quantization', 'EXAMPLE_unknown'],
    extensions: {
      EXAMPLE_unknown: { anything: [null] },
      KHR_lights_punctual: {
        lights: [
          { type: 'point', color: [1, 1, 1], intensity: 2, range: 3, name: 'lamp' },
          { type: 'spot', spot: { innerConeAngle: 0.1, outerConeAngle: 0.5 } },
        ],
      },
      KHR_materials_variants: { variants: [{ name: 'day' }, { name: 'night' }] },
    },
    scene: 0,
    scenes: [{ name: 'all', nodes: [0, 1] }, { nodes: [0, 1] }],
    nodes: [
      { name: 'root', children: [2, 3], rotation: [0, 0, 0, 1], translation: [0, 1, 0], scale: [1, 1, 2] },
      { mesh: 0, skin: 0, weights: [0, 1] },
      { children: [4], extensions: { KHR_lights_punctual: { light: 1 } } },
      { matrix: [0, 2, 0, 0, -2, 0, 0, 0, 0, 0, 2, 0, 1, 2, 3, 1], camera: 0, extras: { a: 1 } },
      { camera: 1 },
    ],
    cameras: [
      { type: 'orthographic', orthographic: { xmag: 1, ymag: 1, zfar: 2, znear: 1 } },
      { type: 'perspective', perspective: { yfov: 1, znear: 0.1, zfar: 10, aspectRatio: 1 } },
    ],
    skins: [{ inverseBindMatrices, joints: [2, 4], skeleton: 0, name: 'skin' }],
    meshes: [{
      name: 'mesh',
      weights: [0, 0],
      primitives: [{
        attributes: { POSITION, NORMAL, TANGENT, TEXCOORD_0, TEXCOORD_1, COLOR_0, JOINTS_0, WEIGHTS_0, _CUSTOM: custom },
        indices,
        material: 0,
        mode: 4,
        targets: [{ POSITION: moved, NORMAL: sparse }, { POSITION: moved }],
        extensions: { KHR_materials_variants: { mappings: [{ variants: [0], material: 0 }, { variants: [1], material: 1, name: 'n' }] } },
      }],
      extras: { targetNames: ['jawOpen', 'mouthClose'] },
    }],
    materials: [
      {
        name: 'skin',
        pbrMetallicRoughness: {
          baseColorFactor: [1, 1, 1, 1],
          baseColorTexture: { index: 0, texCoord: 1, extensions: { KHR_texture_transform: { offset: [0, 0], rotation: 0.1, scale: [1, 1], texCoord: 0 } } },
          metallicFactor: 0,
          roughnessFactor: 1,
          metallicRoughnessTexture: { index: 1 },
        },
        normalTexture: { index: 0, scale: 1 },
        occlusionTexture: { index: 0, strength: 1 },
        emissiveTexture: { index: 0 },
        emissiveFactor: [0, 0, 0],
        alphaMode: 'MASK',
        alphaCutoff: 0.5,
        doubleSided: true,
        extensions: {
          KHR_materials_anisotropy: { anisotropyStrength: 0.5, anisotropyTexture: { index: 0 } },
          KHR_materials_clearcoat: { clearcoatFactor: 1, clearcoatTexture: { index: 0 }, clearcoatNormalTexture: { index: 0, scale: 2 } },
          KHR_materials_ior: { ior: 1.4 },
        },
      },
      { extensions: { KHR_materials_unlit: {} }, emissiveTexture: { index: 2, texCoord: 1 } },
    ],
    textures: [{ source: 0, sampler: 0 }, { source: 1, extensions: { EXT_texture_webp: { source: 2 } } }, { name: 'none' }],
    samplers: [{ magFilter: 9729, minFilter: 9987, wrapS: 10497, wrapT: 33071, name: 's' }],
    images: [
      { bufferView: png, mimeType: 'image/png', name: 'png' },
      { uri: `data:image/png;base64,${PNG.toString('base64')}` },
      { bufferView: webp, mimeType: 'image/webp' },
    ],
    animations: [{
      name: 'moves',
      channels: [
        { sampler: 0, target: { node: 0, path: 'translation' } },
        { sampler: 1, target: { node: 0, path: 'rotation' } },
        { sampler: 2, target: { node: 2, path: 'rotation' } },
        { sampler: 3, target: { node: 1, path: 'weights' } },
        { sampler: 0, target: { path: 'scale' } },
      ],
      samplers: [
        { input: times, output: moves, interpolation: 'LINEAR' },
        { input: times, output: turns, interpolation: 'CUBICSPLINE' },
        { input: times, output: smallTurns },
        { input: times, output: weights, interpolation: 'STEP' },
      ],
    }],
    accessors: data.accessors,
    bufferViews: data.views,
    buffers: [{ byteLength: data.bytes.length, name: 'data' }],
  };
  return { document, binary: data.bytes };
}

export function writeCompleteModel({ document, binary }) {
  return container(jsonChunk(document), binaryChunk(binary));
}
