// The corpus: one file for each thing that a real avatar may contain, or that may be broken in it.

import { Logger, NodeIO } from '@gltf-transform/core';
import { ALL_EXTENSIONS, KHRTextureTransform, KHRMaterialsUnlit } from '@gltf-transform/extensions';
import { draco, meshopt, quantize, sparse, textureCompress } from '@gltf-transform/functions';
import draco3d from 'draco3dgltf';
import { ktx2 } from 'ktx2-encoder/gltf-transform';
import { MeshoptDecoder, MeshoptEncoder } from 'meshoptimizer';
import sharp from 'sharp';
import { binaryChunk, chunk, container, jsonChunk, readGlb, writeGlb } from './glb.mjs';
import { packModel } from './gltfpack.mjs';
import { BROKEN_CHANGES, VALID_CHANGES } from './head-changes.mjs';
import { buildMannequins } from './mannequins.mjs';
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

function encodeKtx2(options) {
  return ktx2({ imageDecoder: decodeImage, ...options });
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
  // Textures are sampled at half of the coordinates, which are doubled.
  const halveCoordinates = require(KHRTextureTransform, (extension, material) =>
    material.getBaseColorTextureInfo()?.setExtension('KHR_texture_transform', extension.createTransform().setScale([0.5, 0.5])));
  const textureTransform = (document) => {
    halveCoordinates(document);
    const primitives = document.getRoot().listMeshes().flatMap((mesh) => mesh.listPrimitives());
    for (const coordinates of new Set(primitives.map((primitive) => primitive.getAttribute('TEXCOORD_0')))) {
      coordinates?.setArray(coordinates.getArray().map((value) => value * 2));
    }
  };
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
    ['ktx2.glb', 'KHR_texture_basisu', await transform(encodeKtx2({ isUASTC: false, generateMipmap: true }))],
    ['ktx2-uastc.glb', 'KHR_texture_basisu, UASTC', await transform(encodeKtx2({ isUASTC: true, needSupercompression: true }))],
    ['exif-jpeg.glb', 'JPEG texture with EXIF orientation', Buffer.from(await io.writeBinary(jpeg))],
    ['unlit.glb', 'KHR_materials_unlit, required', await transform(unlit)],
    ['texture-transform.glb', 'KHR_texture_transform, required', await transform(textureTransform)],
    ['packed.glb', 'EXT_meshopt_compression, KHR_mesh_quantization, packed by gltfpack', await packModel(head)],
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
  const glTF1 = Buffer.from(head);
  glTF1.writeUInt32LE(1, 4);
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
    ['broken-fbx.glb', 'an FBX file', Buffer.from('Kaydara FBX Binary  \0')],
    ['broken-gltf-1.glb', 'glTF 1.0', glTF1],
  ];
}

/** The GLB with zeros in its binary chunk. */
function clearBinary(glb) {
  const model = readGlb(glb);
  return writeGlb({ ...model, binary: Buffer.alloc(model.binary.length) });
}

/** The heads: `{ name, feature, figure, bytes, model, resources }`, as `buildModels` returns them. */
async function buildHeads(io, fullHead) {
  const head = await shrinkTextures(io, fullHead);
  const transformed = await transformedModels(io, head);
  const plain = [
    ['head.glb', 'as the sandbox generates it', Buffer.from(fullHead)],
    ['small-texture.glb', 'texture of 256 × 256', head],
    ...transformed,
    ...applyChanges(head, VALID_CHANGES),
    ...containerVariants(head),
    ...applyChanges(head, BROKEN_CHANGES),
    ['broken-draco.glb', 'Draco without its data', clearBinary(transformed.find(([name]) => name === 'draco.glb')[2])],
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
  zip('renamed.zip', 'glTF and its data, renamed by a packer, in a zip', [
    { name: 'Avatar\\Head.gltf', bytes: separate },
    { name: 'Avatar\\Head Data.bin', bytes: binary },
  ], { model: separate, resources, expected: 'warn' });
  zip('broken-gltf.zip', 'glTF without its data in a zip', [{ name: 'head.gltf', bytes: separate }], { model: separate });
  zip('broken-glb.zip', 'a broken GLB in a zip', [{ name: 'head.glb', bytes: broken }], { model: broken });
  const text = Buffer.from('an avatar');
  zip('only-fbx.zip', 'FBX in a zip', [{ name: 'head.fbx', bytes: text }], { expected: 'valid' });
  zip('deflate64.zip', 'entry in Deflate64', [{ name: 'head.fbx', bytes: text, method: METHODS.deflate64 }], { expected: 'warn' });
  zip('lzma.zip', 'entry in LZMA', [{ name: 'head.fbx', bytes: text, method: METHODS.lzma }], { expected: 'warn' });
  zip('latin-1-name.zip', 'name that is not UTF-8', [{ name: Buffer.from('t\xeate.fbx', 'latin1'), bytes: text }], { expected: 'warn' });
  zip('nested.zip', 'zip in a zip', [{ name: 'head.zip', bytes: writeZip([{ name: 'a.txt', bytes: text }]) }], { expected: 'warn' });
  zip('broken-aes.zip', 'encrypted with AES', [{ name: 'head.fbx', bytes: text, method: METHODS.aes, encrypted: true }], { expected: 'fail' });
  zip('broken-encrypted.zip', 'encrypted with a password', [{ name: 'head.fbx', bytes: text, encrypted: true }], { expected: 'fail' });
  // Without light the colours are others. Without a skeleton the height of the head is estimated, and its size in the
  // picture is another.
  const figures = { 'unlit.glb': 'outline of the head', 'no-skin.glb': null };
  return files.map((file) => ({ figure: file.name in figures ? figures[file.name] : 'head', ...file }));
}

/**
 * All files of our making: `{ name, feature, figure, bytes, model, resources }`. `figure`: what it shows, `head`, `outline of the head` or `mannequin`. `model`
 * is what the Khronos validator judges: the file itself, or the model in an archive with the files beside it. Archives
 * without one are judged by `expected`.
 */
export async function buildModels(fullHead) {
  const io = await createIo();
  return [...(await buildHeads(io, fullHead)), ...(await buildMannequins(io))];
}
