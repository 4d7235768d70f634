// Changes of a head by hand: valid files that are unusual, and broken ones.

import { accessorBytes } from './glb.mjs';

/** Valid files that are written by hand. Each function changes the document and the binary chunk of the head. */
export const VALID_CHANGES = [
  ['no-scenes.glb', 'no `scenes`', ({ document }) => {
    delete document.scenes;
    delete document.scene;
  }],
  ['several-skins.glb', 'a skin for each mesh', ({ document }) => {
    for (const node of document.nodes.filter((node) => node.mesh > 0)) {
      node.skin = document.skins.push({ ...document.skins[0] }) - 1;
    }
  }],
  ['no-skin.glb', 'no rig', ({ document }) => {
    for (const node of document.nodes) delete node.skin;
    for (const mesh of document.meshes) {
      for (const { attributes } of mesh.primitives) {
        delete attributes.JOINTS_0;
        delete attributes.WEIGHTS_0;
      }
    }
    delete document.skins;
  }],
  ['vrm-1.vrm', 'VRM 1.0', ({ document }) => {
    document.extensionsUsed = ['VRMC_vrm', 'VRMC_materials_mtoon'];
    document.extensions = { VRMC_vrm: { specVersion: '1.0', humanoid: { humanBones: { head: { node: 2 } } } } };
    document.materials[0].extensions = { VRMC_materials_mtoon: { specVersion: '1.0' } };
  }],
  ['vrm-0.vrm', 'VRM 0.x', ({ document }) => {
    document.extensionsUsed = ['VRM'];
    document.extensions = { VRM: { specVersion: '0.0', humanoid: { humanBones: [{ bone: 'head', node: 2 }] } } };
  }],
  ['channel-without-node.glb', 'animation channel without a node', (model) => {
    const { document } = model;
    const [input, output] = appendAccessors(model, [[0, 1], [0, 0, 0, 0, 0, 1]]);
    document.animations = [{
      channels: [{ sampler: 0, target: { path: 'translation' } }],
      samplers: [{ input, output }],
    }];
  }],
  ['animated.glb', 'animation of the head', (model) => {
    const [input, output] = appendAccessors(model, [[0, 1], [0, 0, 0, 0, 0, 1]]);
    model.document.animations = [{
      channels: [{ sampler: 0, target: { node: 0, path: 'translation' } }],
      samplers: [{ input, output }],
    }];
  }],
  ['unknown-extension.glb', 'an extension that no program knows', ({ document }) => {
    document.extensionsUsed = ['EXAMPLE_hair_physics'];
    document.extensionsRequired = ['EXAMPLE_hair_physics'];
    document.nodes[7].extensions = { EXAMPLE_hair_physics: { stiffness: 2 } };
  }],
  ['materials.glb', 'lights, clearcoat, specular, variants', ({ document }) => {
    document.extensionsUsed = ['KHR_lights_punctual', 'KHR_materials_clearcoat', 'KHR_materials_specular', 'KHR_materials_variants'];
    document.extensions = {
      KHR_lights_punctual: { lights: [{ type: 'spot', spot: { innerConeAngle: 0.1 } }] },
      KHR_materials_variants: { variants: [{ name: 'day' }, { name: 'night' }] },
    };
    document.nodes[0].extensions = { KHR_lights_punctual: { light: 0 } };
    document.materials[0].extensions = {
      KHR_materials_clearcoat: { clearcoatFactor: 0.4, clearcoatTexture: { index: 0 } },
      KHR_materials_specular: { specularColorFactor: [1, 2, 1] },
    };
    document.meshes[0].primitives[0].extensions = {
      KHR_materials_variants: { mappings: [{ variants: [0], material: 0 }, { variants: [1], material: 2 }] },
    };
  }],
  ['scaled-root.glb', 'root scaled by 100, Z up', ({ document }) => {
    document.nodes[0].scale = [100, 100, 100];
    document.nodes[0].rotation = [-Math.SQRT1_2, 0, 0, Math.SQRT1_2];
  }],
  ['names-with-sides.glb', 'blendshapes named `eyeBlink_L`', ({ document }) => {
    renameTargets(document, (name) => name.replace(/Left$/, '_L').replace(/Right$/, '_R'));
  }],
  ['names-with-prefix.glb', 'blendshapes named `head.eyeBlinkLeft`', ({ document }) => {
    renameTargets(document, (name) => `head.${name}`);
  }],
  ['names-in-capitals.glb', 'blendshapes named `EyeBlinkLeft`', ({ document }) => {
    renameTargets(document, (name) => name[0].toUpperCase() + name.slice(1));
  }],
  ['names-in-primitives.glb', 'blendshape names in the primitives', ({ document }) => {
    for (const mesh of document.meshes) {
      for (const primitive of mesh.primitives) primitive.extras = mesh.extras;
      delete mesh.extras;
    }
  }],
  ['odd-values.glb', 'unknown sampler filters, names with any characters', ({ document }) => {
    document.samplers[0].magFilter = 9;
    document.nodes[0].name = '头 \u0000 / ~ " 😀';
    document.extras = [1, null, { deep: [[[[]]]] }];
  }],
];

/** Appends float accessors (times, then vectors) in buffer views of their own; returns their indices. */
function appendAccessors(model, lists) {
  const { document } = model;
  return lists.map((values, index) => {
    const bytes = Buffer.from(new Float32Array(values).buffer);
    const byteOffset = model.binary.length;
    model.binary = Buffer.concat([model.binary, bytes]);
    document.buffers[0].byteLength = model.binary.length;
    const bufferView = document.bufferViews.push({ buffer: 0, byteOffset, byteLength: bytes.length }) - 1;
    const isTimes = index === 0;
    const accessor = { bufferView, componentType: 5126, type: isTimes ? 'SCALAR' : 'VEC3', count: values.length / (isTimes ? 1 : 3) };
    if (isTimes) Object.assign(accessor, { min: [Math.min(...values)], max: [Math.max(...values)] });
    return document.accessors.push(accessor) - 1;
  });
}

function renameTargets(document, rename) {
  for (const mesh of document.meshes) {
    if (mesh.extras?.targetNames) mesh.extras.targetNames = mesh.extras.targetNames.map(rename);
  }
}

/** Broken files, likewise. */
export const BROKEN_CHANGES = [
  ['broken-bounds.glb', '`max` of positions is wrong', ({ document }) => {
    document.accessors[positions(document)].max[1] += 0.01;
  }],
  ['broken-index.glb', 'an index beyond the vertices', (model) => {
    const { document } = model;
    const { indices } = document.meshes[0].primitives[0];
    const wide = document.accessors[indices].componentType === 5125;
    const bytes = accessorBytes(model, indices);
    if (wide) bytes.writeUInt32LE(1_000_000, 0);
    else bytes.writeUInt16LE(65_534, 0);
  }],
  ['broken-nan.glb', 'a position that is not a number', (model) => {
    accessorBytes(model, positions(model.document)).writeFloatLE(Number.NaN, 0);
  }],
  ['broken-normal.glb', 'a normal of length 2', (model) => {
    const { NORMAL } = model.document.meshes[0].primitives[0].attributes;
    const bytes = accessorBytes(model, NORMAL);
    [0, 2, 0].forEach((value, index) => {
      bytes.writeFloatLE(value, 4 * index);
    });
  }],
  ['broken-rotation.glb', 'a rotation of length 1.4', ({ document }) => {
    document.nodes[2].rotation = [1, 0, 0, 1];
  }],
  ['broken-joint.glb', 'a joint that the skin does not have', ({ document }) => {
    document.skins[0].joints = document.skins[0].joints.slice(0, 1);
  }],
  ['broken-matrices.glb', 'fewer inverse bind matrices than joints', ({ document }) => {
    document.accessors[document.skins[0].inverseBindMatrices].count = 1;
  }],
  ['broken-loop.glb', 'nodes in a loop', ({ document }) => {
    document.nodes[3].children = [0];
  }],
  ['broken-texture-index.glb', 'a texture that does not exist', ({ document }) => {
    document.materials[0].pbrMetallicRoughness.baseColorTexture.index = 9;
  }],
  ['broken-undeclared-extension.glb', 'an extension that is not declared', ({ document }) => {
    document.materials[0].extensions = { KHR_materials_unlit: {} };
  }],
  ['broken-required-extension.glb', 'a required extension that is not used', ({ document }) => {
    document.extensionsRequired = ['KHR_draco_mesh_compression'];
  }],
  ['broken-media-type.glb', 'a PNG that says it is a JPEG', ({ document }) => {
    document.images[0].mimeType = 'image/jpeg';
  }],
  ['broken-image.glb', 'a PNG without pixels', ({ document }) => {
    document.bufferViews[document.images[0].bufferView].byteLength = 40;
  }],
  ['broken-external-buffer.glb', 'data in another file', ({ document }) => {
    document.buffers[0].uri = 'head.bin';
  }],
  ['broken-view.glb', 'a buffer view that exceeds its buffer', ({ document }) => {
    document.bufferViews[0].byteLength += document.buffers[0].byteLength;
  }],
  ['broken-alignment.glb', 'indices that are not aligned', ({ document }) => {
    document.accessors[document.meshes[0].primitives[0].indices].byteOffset = 1;
  }],
  ['broken-version.glb', 'glTF 3.0', ({ document }) => {
    document.asset.version = '3.0';
  }],
  ['broken-times.glb', 'times that do not increase', (model) => {
    const [input, output] = appendAccessors(model, [[1, 0], [0, 0, 0, 0, 0, 1]]);
    model.document.animations = [{
      channels: [{ sampler: 0, target: { node: 0, path: 'translation' } }],
      samplers: [{ input, output }],
    }];
  }],
  ['broken-weights-count.glb', 'weights for blendshapes that do not exist', ({ document }) => {
    document.meshes[0].weights = [0];
  }],
];

/** The accessor of the first mesh's positions. */
function positions(document) {
  return document.meshes[0].primitives[0].attributes.POSITION;
}
