// Builds the corpus of avatar files, and judges each with the Khronos validator:
// `node build.mjs HEAD.glb FOLDER`, with a head of `cargo run -p copresence-avatar --example heads`.
// FOLDER/corpus.json lists the files: name, feature, origin, figure, the expected verdict, and `notShown`: why the reveal
// does not show the file, or null.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readAssimpModels } from './assimp.mjs';
import { judgeModel } from './khronos.mjs';
import { buildModels } from './models.mjs';
import { fetchModels } from './fetched.mjs';
import { REASONS } from './not-shown.mjs';

const [headFile, folder] = process.argv.slice(2);
if (!headFile || !folder) {
  console.error('usage: node build.mjs HEAD.glb FOLDER');
  process.exit(2);
}
await mkdir(folder, { recursive: true });
const own = await buildModels(await readFile(headFile));
const files = [...own.map((file) => ({ origin: 'made here', ...file })), ...(await fetchModels()), ...(await readAssimpModels())];
const listed = [];
for (const { name, feature, origin, figure = null, bytes, model, resources, expected } of files) {
  await writeFile(join(folder, name), bytes);
  const khronos = model ? await judgeModel(model, resources) : null;
  if (khronos?.errors === null) throw new Error(`${name}: ${khronos.first}`);
  const verdict = expected ?? (khronos.errors > 0 ? 'fail' : 'valid');
  listed.push({ name, feature, origin, figure, expected: verdict, khronos, notShown: REASONS[name] ?? null });
}
await writeFile(join(folder, 'corpus.json'), `${JSON.stringify(listed, null, 2)}\n`);
const broken = listed.filter((file) => file.expected === 'fail').length;
console.log(`${listed.length} files in ${folder}, ${broken} of them broken`);
