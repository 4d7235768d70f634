// Files of the mannequin: skeletons, axes, scales and poses, which a head alone does not have.

import { readFile } from 'node:fs/promises';
import { Document } from '@gltf-transform/core';
import {
  EXTMeshoptCompression,
  KHRDracoMeshCompression,
  KHRMeshQuantization,
} from '@gltf-transform/extensions';
import { readGlb, writeGlb } from './glb.mjs';
import { createMannequin } from './mannequin.mjs';
import { writeZip } from './zip.mjs';

/** Quarter turns of every point. */
const toZUp = ([x, y, z]) => [x, -z, y];
const facingBack = ([x, y, z]) => [-x, y, -z];

function requireExtension(type) {
  return (document) => {
    document.createExtension(type).setRequired(true);
  };
}

/** Stores positions as 16-bit integers. */
function quantizePositions(document) {
  requireExtension(KHRMeshQuantization)(document);
  const quantized = new Set();
  for (const mesh of document.getRoot().listMeshes()) {
    for (const primitive of mesh.listPrimitives()) {
      for (const part of [primitive, ...primitive.listTargets()]) {
        const accessor = part.getAttribute('POSITION');
        if (!accessor || quantized.has(accessor)) continue;
        quantized.add(accessor);
        const values = Int16Array.from(accessor.getArray(), (value) => Math.round((value / 2) * 32767));
        accessor.setArray(values).setNormalized(true);
      }
    }
  }
  // Two metres are one unit.
  document.getRoot().listScenes()[0].listChildren()[0].setScale([2, 2, 2]);
}

/** A normal for each second blendshape. */
function giveSomeNormals(document) {
  const [buffer] = document.getRoot().listBuffers();
  for (const mesh of document.getRoot().listMeshes()) {
    for (const primitive of mesh.listPrimitives()) {
      primitive.listTargets().forEach((target, i) => {
        if (i % 2 === 0) return;
        const array = new Float32Array(primitive.getAttribute('POSITION').getCount() * 3);
        target.setAttribute('NORMAL', document.createAccessor().setType('VEC3').setArray(array).setBuffer(buffer));
      });
    }
  }
}

/** File, feature, how the mannequin is built, and what is changed of its document. */
const MANNEQUINS = [
  ['body.glb', 'body with a skeleton in a T-pose', {}],
  ['body-head-only.glb', 'head of a body without its skeleton', { headOnly: true }],
  ['body-draco.glb', 'skinned body, KHR_draco_mesh_compression', {}, requireExtension(KHRDracoMeshCompression)],
  ['body-meshopt.glb', 'skinned body, EXT_meshopt_compression', {}, requireExtension(EXTMeshoptCompression)],
  ['body-quantized.glb', 'body of 16-bit integers', { withoutSkin: true }, quantizePositions],
  ['body-quantized-meshopt.glb', 'body of 16-bit integers, EXT_meshopt_compression', { withoutSkin: true }, (document) => {
    quantizePositions(document);
    requireExtension(EXTMeshoptCompression)(document);
  }],
  ['body-vertex-colours.glb', 'colours of vertices', { texture: null }],
  ['body-some-morph-normals.glb', 'normals for some blendshapes', {}, giveSomeNormals],
  ['body-mixamo.glb', 'joints named `mixamorig:Head`', { jointName: (name) => `mixamorig:${name}` }],
  ['body-no-skin.glb', 'body without a skeleton', { withoutSkin: true }],
  ['body-no-clues.glb', 'body without skeleton and blendshapes', { withoutSkin: true, withoutBlendshapes: true }],
  ['body-draco-no-clues.glb', 'head without blendshapes, KHR_draco_mesh_compression', { headOnly: true, withoutBlendshapes: true }, requireExtension(KHRDracoMeshCompression)],
  ['body-times-100.glb', 'body in centimetres below a node scaled by 0.01', { rootScale: 0.01 }],
  ['body-by-100.glb', 'small body below a node scaled by 100', { rootScale: 100 }],
  ['body-z-up.glb', 'body whose axis upwards is Z', { turned: toZUp }],
  ['body-z-up-no-skin.glb', 'the same without a skeleton', { turned: toZUp, withoutSkin: true }],
  ['body-z-up-head-only.glb', 'head whose axis upwards is Z', { turned: toZUp, headOnly: true }],
  ['body-faces-back.glb', 'body that looks to the back', { turned: facingBack }],
];

/** Files that are written by hand. `model` is what the Khronos validator judges. */
function editedMannequins(body, turned) {
  const vrm = readGlb(turned);
  vrm.document.extensionsUsed = ['VRM'];
  const head = vrm.document.nodes.findIndex(({ name }) => name === 'J_Head');
  vrm.document.extensions = { VRM: { specVersion: '0.0', humanoid: { humanBones: [{ bone: 'head', node: head }] } } };
  const bytes = writeGlb(vrm);
  const other = Buffer.from('an avatar');
  const zip = writeZip([
    { name: 'readme.txt', bytes: other },
    { name: '__MACOSX/out/._me.glb', bytes: other },
    { name: 'out/me.glb', bytes: body },
  ]);
  return [
    { name: 'body-vrm-0.vrm', feature: 'VRM 0.x, which faces −Z', bytes, model: bytes },
    { name: 'body.zip', feature: 'GLB in a zip beside other files', bytes: zip, model: body },
  ];
}

/** All files of the mannequin: `{ name, feature, figure, bytes, model }`. */
export async function buildMannequins(io) {
  const texture = new Uint8Array(await readFile(new URL('face.png', import.meta.url)));
  const build = (options = {}, change = () => {}) => {
    const document = createMannequin(new Document(), { texture, ...options });
    change(document);
    return io.writeBinary(document).then((bytes) => Buffer.from(bytes));
  };
  const files = [];
  for (const [name, feature, options, change] of MANNEQUINS) {
    const bytes = await build(options, change);
    files.push({ name, feature, bytes, model: bytes });
  }
  const turned = await build({ turned: facingBack, jointName: (name) => `J_${name}` });
  files.push(...editedMannequins(files[0].bytes, turned));
  return files.map((file) => ({ figure: 'mannequin', ...file }));
}
