// Packs models with gltfpack, which quantises, merges and renames as no exporter does.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PROGRAM = fileURLToPath(new URL('node_modules/gltfpack/cli.js', import.meta.url));

/** The GLB as `gltfpack -cc` writes it. */
export async function packModel(glb) {
  const folder = await mkdtemp(join(tmpdir(), 'gltfpack-'));
  try {
    const [from, to] = ['from.glb', 'to.glb'].map((name) => join(folder, name));
    await writeFile(from, glb);
    await promisify(execFile)(process.execPath, [PROGRAM, '-cc', '-i', from, '-o', to]);
    return await readFile(to);
  } finally {
    await rm(folder, { recursive: true });
  }
}
