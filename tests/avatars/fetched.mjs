// Models that are not of our making, from packages that package.json pins and package-lock.json has the digests of.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Package, path within it, feature. The licence of each package permits the use: MIT. */
const MODELS = [
  ['@webxr-input-profiles/assets', 'dist/profiles/generic-hand/left.glb', 'skinned hand, from Blender'],
  ['@webxr-input-profiles/assets', 'dist/profiles/generic-trigger/left.glb', 'from FBX2glTF'],
  ['@webxr-input-profiles/assets', 'dist/profiles/htc-vive-cosmos/left.glb', 'from Blender'],
  ['@webxr-input-profiles/assets', 'dist/profiles/microsoft-mixed-reality/left.glb', 'from Windows Holographic Controller Tool'],
  ['@webxr-input-profiles/assets', 'dist/profiles/meta-quest-touch-plus/left.glb', 'from a newer exporter'],
];

/** The models with their origin. */
export function fetchModels() {
  const read = MODELS.map(async ([origin, path, feature]) => {
    const bytes = await readFile(fileURLToPath(new URL(`node_modules/${origin}/${path}`, import.meta.url)));
    const [profile, side] = path.split('/').slice(-2);
    return { name: `${profile}-${side}`, feature, origin, bytes, model: bytes };
  });
  return Promise.all(read);
}
