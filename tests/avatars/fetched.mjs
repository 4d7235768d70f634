// Models that are not of our making, from packages that package.json pins and package-lock.json has the digests of. The
// licence of each package permits the use: MIT, CC0.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { packModel } from './gltfpack.mjs';

/** Package, path within it, feature. */
const MODELS = [
  ['@webxr-input-profiles/assets', 'dist/profiles/generic-hand/left.glb', 'skinned hand, from Blender'],
  ['@webxr-input-profiles/assets', 'dist/profiles/generic-trigger/left.glb', 'from FBX2glTF'],
  ['@webxr-input-profiles/assets', 'dist/profiles/htc-vive-cosmos/left.glb', 'from Blender'],
  ['@webxr-input-profiles/assets', 'dist/profiles/microsoft-mixed-reality/left.glb', 'from Windows Holographic Controller Tool'],
  ['@webxr-input-profiles/assets', 'dist/profiles/meta-quest-touch-plus/left.glb', 'from a newer exporter'],
  // Modules with a data URI.
  ['@pmndrs/assets', 'models/suzi.glb.js', 'head of a monkey, KHR_draco_mesh_compression'],
  ['@pmndrs/assets', 'models/bunny.glb.js', 'rabbit, KHR_draco_mesh_compression'],
  ['@pmndrs/assets', 'models/pmndrs.glb.js', 'letters with a JPEG texture, KHR_draco_mesh_compression'],
];

async function readModel(origin, path) {
  const url = new URL(`node_modules/${origin}/${path}`, import.meta.url);
  if (!path.endsWith('.js')) return readFile(fileURLToPath(url));
  const { default: uri } = await import(url);
  return Buffer.from(uri.slice(uri.indexOf(',') + 1), 'base64');
}

/** The models with their origin. */
export async function fetchModels() {
  const files = [];
  for (const [origin, path, feature] of MODELS) {
    const bytes = await readModel(origin, path);
    const [folder, file] = path.split('/').slice(-2);
    const name = path.endsWith('.js') ? file.replace(/\.js$/, '') : `${folder}-${file}`;
    files.push({ name, feature, origin, bytes, model: bytes });
  }
  const [hand] = files;
  const packed = await packModel(hand.bytes);
  const feature = 'skinned hand, EXT_meshopt_compression, KHR_mesh_quantization';
  files.push({ name: 'generic-hand-packed.glb', feature, origin: `${hand.origin}, gltfpack`, bytes: packed, model: packed });
  return files;
}
