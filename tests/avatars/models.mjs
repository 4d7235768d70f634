// The corpus: one file for each thing that a real avatar may contain, or that may be broken in it.

import { Logger, NodeIO } from '@gltf-transform/core';
import { ALL_EXTENSIONS, KHRTextureTransform, KHRMaterialsUnlit } from '@gltf-transform/extensions';
import { draco, meshopt, quantize, sparse, textureCompress } from '@gltf-transform/functions';
import draco3d from 'draco3dgltf';
import { ktx2 } from 'ktx2-encoder/gltf-transform';
import { MeshoptDecoder, MeshoptEncoder } from 'meshoptimizer';
import sharp from 'sharp';
import { accessorBytes, binaryChunk, chunk, container, jsonChunk, readGlb, writeGlb } from './glb.mjs';
import { METHODS, writeZip } from './zip.mjs';

/** Reads and writes models with all extensions. */
export async function createIo() {
  await MeshoptDecoder.ready;
  await MeshoptEncoder.ready;
  return new NodeIO()
    .setLogger(new Logger(Logger.Verbosity.SILENT))
    .registerExtensions(ALL_EXTENSIONS)
    .registerDependencies({
      'draco3d.decoder': await draco3d.createDecoderModule(),
      'draco3d.encoder': await draco3d.createEncoderModule(),
      'meshopt.decoder': MeshoptDecoder,
      'meshopt.encoder': MeshoptEncoder,
    });
}

/** The head with textures of at most 256 × 256, so that encoders are quick. */
async function shrinkTextures(io, head) {
  const document = await io.readBinary(head);
  await document.transform(textureCompress({ encoder: sharp, resize: [256, 256], targetFormat: 'png' }));
  return Buffer.from(await io.writeBinary(document));
}

async function decodeImage(bytes) {
  const { data, info } = await sharp(bytes).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data: new Uint8Array(data), width: info.width, height: info.height };
}

/** Files that tools make of the head: compressed meshes and textures. */
async function transformedModels(io, head) {
  const transform = async (...steps) => {
    const document = await io.readBinary(head);
    await document.transform(...steps);
    return Buffer.from(await io.writeBinary(document));
  };
  const require = (type, change) => (document) => {
    const extension = document.createExtension(type).setRequired(true);
    for (const material of document.getRoot().listMaterials()) {
      change(extension, material);
    }
  };
  const unlit = require(KHRMaterialsUnlit, (extension, material) =>
    material.setExtension('KHR_materials_unlit', extension.createUnlit()));
  const textureTransform = require(KHRTextureTransform, (extension, material) =>
    material.getBaseColorTextureInfo()?.setExtension('KHR_texture_transform', extension.createTransform().setOffset([0, 0])));
  const jpeg = await io.readBinary(head);
  for (const texture of jpeg.getRoot().listTextures()) {
    const turned = await sharp(texture.getImage()).removeAlpha().withMetadata({ orientation: 6 }).jpeg().toBuffer();
    texture.setImage(new Uint8Array(turned)).setMimeType('image/jpeg');
  }
  return [
    ['draco.glb', 'KHR_draco_mesh_compression', await transform(draco())],
    ['meshopt.glb', 'EXT_meshopt_compression', await transform(meshopt({ encoder: MeshoptEncoder }))],
    ['quantized.glb', 'KHR_mesh_quantization', await transform(quantize())],
    ['sparse.glb', 'sparse blendshapes', await transform(sparse({ ratio: 1 }))],
    ['webp.glb', 'EXT_texture_webp', await transform(textureCompress({ encoder: sharp, targetFormat: 'webp' }))],
    ['avif.glb', 'EXT_texture_avif', await transform(textureCompress({ encoder: sharp, targetFormat: 'avif' }))],
    ['ktx2.glb', 'KHR_texture_basisu', await transform(ktx2({ isUASTC: false, generateMipmap: true, imageDecoder: decodeImage }))],
    ['exif-jpeg.glb', 'JPEG texture with EXIF orientation', Buffer.from(await io.writeBinary(jpeg))],
    ['unlit.glb', 'KHR_materials_unlit, required', await transform(unlit)],
    ['texture-transform.glb', 'KHR_texture_transform, required', await transform(textureTransform)],
  ];
}

/** The files of a head as glTF with its data beside it, and with its data inside. */
function splitModel(head) {
  const { document, binary } = readGlb(head);
  const withUri = (uri) => ({ ...document, buffers: [{ ...document.buffers[0], uri }] });
  const embedded = withUri(`data:application/octet-stream;base64,${binary.toString('base64')}`);
  return {
    separate: Buffer.from(JSON.stringify(withUri('head%20data.bin'))),
    binary,
    embedded: Buffer.from(JSON.stringify(embedded)),
    dataUriGlb: container(jsonChunk(embedded)),
  };
}

/** Valid files that are written by hand. Each function changes the document and the binary chunk of the head. */
const VALID_CHANGES = [
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

/** Broken files. */
const BROKEN_CHANGES = [
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

function applyChanges(head, changes) {
  return changes.map(([name, feature, change]) => {
    const model = readGlb(head);
    change(model);
    return [name, feature, writeGlb(model)];
  });
}

/** Unusual and broken containers. */
function containerVariants(head) {
  const { document, binary } = readGlb(head);
  const json = jsonChunk(document);
  const wrongLength = Buffer.from(head);
  wrongLength.writeUInt32LE(head.length + 4, 8);
  return [
    ['padded-binary-chunk.glb', 'binary chunk padded by a kilobyte', container(json, binaryChunk(Buffer.concat([binary, Buffer.alloc(1024)])))],
    ['trailing-bytes.glb', 'bytes after the stated end', Buffer.concat([head, Buffer.from('\r\nend of file')])],
    ['unknown-chunk.glb', 'a chunk of an unknown type', container(json, binaryChunk(binary), chunk(0x58585858, Buffer.from('maker')))],
    ['nul-padded-json.glb', 'JSON chunk padded with NULs', container(jsonChunk(`${JSON.stringify(document)}`.padEnd(8, ' ') + '\0\0\0\0', 0), binaryChunk(binary))],
    ['broken-cut-off.glb', 'cut off in the middle', head.subarray(0, head.length >> 1)],
    ['broken-length.glb', 'a header that says too much', wrongLength],
    ['broken-json.glb', 'JSON without its last bracket', container(jsonChunk(JSON.stringify(document).slice(0, -1)), binaryChunk(binary))],
    ['broken-byte-order-mark.glb', 'JSON with a byte order mark', container(jsonChunk(`\ufeff${JSON.stringify(document)}`), binaryChunk(binary))],
    ['broken-two-binary-chunks.glb', 'two binary chunks', container(json, binaryChunk(binary), binaryChunk(Buffer.alloc(4)))],
    ['broken-no-binary-chunk.glb', 'no binary chunk', container(json)],
    ['broken-empty.glb', 'an empty file', Buffer.alloc(0)],
    ['broken-page.glb', 'a web page', Buffer.from('<!doctype html><title>403 Forbidden</title>')],
  ];
}

/**
 * All files of our making: `{ name, feature, bytes, model, resources }`. `model` is what the Khronos validator judges: the
 * file itself, or the model in an archive with the files beside it. Archives without one are judged by `expected`.
 */
export async function buildModels(fullHead) {
  const io = await createIo();
  const head = await shrinkTextures(io, fullHead);
  const plain = [
    ['head.glb', 'as the sandbox generates it', Buffer.from(fullHead)],
    ['small-texture.glb', 'texture of 256 × 256', head],
    ...(await transformedModels(io, head)),
    ...applyChanges(head, VALID_CHANGES),
    ...containerVariants(head),
    ...applyChanges(head, BROKEN_CHANGES),
  ];
  const files = plain.map(([name, feature, bytes]) => ({ name, feature, bytes, model: bytes }));
  const { separate, binary, embedded, dataUriGlb } = splitModel(head);
  const resources = new Map([['head data.bin', binary]]);
  const broken = applyChanges(head, BROKEN_CHANGES.slice(0, 1))[0][2];
  const zip = (name, feature, entries, rest) => files.push({ name, feature, bytes: writeZip(entries), ...rest });
  files.push({ name: 'data-uri-buffer.glb', feature: 'buffer as data URI', bytes: dataUriGlb, model: dataUriGlb });
  files.push({ name: 'embedded.gltf', feature: 'glTF with its data inside', bytes: embedded, model: embedded });
  files.push({ name: 'broken-separate.gltf', feature: 'glTF without its data', bytes: separate, model: separate });
  zip('glb.zip', 'GLB in a zip', [{ name: 'avatar/head.glb', bytes: head }], { model: head });
  zip('gltf.zip', 'glTF and its data in a zip', [
    { name: 'avatar/head.gltf', bytes: separate },
    { name: 'avatar/head data.bin', bytes: binary },
  ], { model: separate, resources });
  zip('broken-gltf.zip', 'glTF without its data in a zip', [{ name: 'head.gltf', bytes: separate }], { model: separate });
  zip('broken-glb.zip', 'a broken GLB in a zip', [{ name: 'head.glb', bytes: broken }], { model: broken });
  const text = Buffer.from('an avatar');
  zip('deflate64.zip', 'entry in Deflate64', [{ name: 'head.fbx', bytes: text, method: METHODS.deflate64 }], { expected: 'warn' });
  zip('lzma.zip', 'entry in LZMA', [{ name: 'head.fbx', bytes: text, method: METHODS.lzma }], { expected: 'warn' });
  zip('latin-1-name.zip', 'name that is not UTF-8', [{ name: Buffer.from('t\xeate.fbx', 'latin1'), bytes: text }], { expected: 'warn' });
  zip('nested.zip', 'zip in a zip', [{ name: 'head.zip', bytes: writeZip([{ name: 'a.txt', bytes: text }]) }], { expected: 'warn' });
  zip('broken-aes.zip', 'encrypted with AES', [{ name: 'head.fbx', bytes: text, method: METHODS.aes, encrypted: true }], { expected: 'fail' });
  zip('broken-encrypted.zip', 'encrypted with a password', [{ name: 'head.fbx', bytes: text, encrypted: true }], { expected: 'fail' });
  return files;
}
