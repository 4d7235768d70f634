// Changes a valid model in many ways, one at a time, and judges each result with the Khronos validator:
// `node mutants.mjs FOLDER [STEP]`, with STEP only each STEP-th. FOLDER/mutants.bin has the files one after the other, FOLDER/mutants.json their lengths,
// changes and verdicts.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { completeModel, writeCompleteModel } from './complete-model.mjs';
import { judgeModel } from './khronos.mjs';

/** What a value of the document is replaced with. */
const REPLACEMENTS = [null, -1, 0, 1, 2, 0.5, 4000, 1e12, true, 'x', [], {}, [1, 2]];
/** What a word of the data is replaced with. */
const WORDS = [0x7fc00000, 0xffffffff, 0x00000000, 0x3f800001, 0xbf800000, 0x00000003];

/** The places of all values in a document, as lists of keys. */
function* places(value, path = []) {
  if (path.length > 0) yield path;
  if (value !== null && typeof value === 'object') {
    for (const key of Object.keys(value)) yield* places(value[key], [...path, key]);
  }
}

function parentOf(document, path) {
  return path.slice(0, -1).reduce((value, key) => value[key], document);
}

/** All mutants: what is changed, and the file. */
function* mutants() {
  const original = completeModel();
  const unchanged = writeCompleteModel(original);
  yield ['nothing', unchanged];
  const text = JSON.stringify(original.document);
  const change = (what, edit) => {
    const document = JSON.parse(text);
    edit(document);
    return [what, writeCompleteModel({ document, binary: original.binary })];
  };
  for (const path of places(original.document)) {
    const key = path.at(-1);
    const place = `/${path.join('/')}`;
    const old = path.reduce((value, step) => value[step], original.document);
    yield change(`${place} removed`, (document) => {
      const parent = parentOf(document, path);
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else delete parent[key];
    });
    const numbers = typeof old === 'number' ? [old + 1, old * 2, old + 0.25] : [];
    for (const value of [...REPLACEMENTS, ...numbers]) {
      yield change(`${place} = ${JSON.stringify(value)}`, (document) => {
        parentOf(document, path)[key] = value;
      });
    }
    if (Array.isArray(old)) {
      yield change(`${place} with its first item again`, (document) => {
        const list = parentOf(document, path)[key];
        list.push(list[0]);
      });
    } else if (old !== null && typeof old === 'object') {
      for (const name of ['extensions', 'extras', 'name', 'bufferView', 'mesh', 'matrix', 'sparse', 'byteStride', 'uri']) {
        yield change(`${place}/${name} = ""`, (document) => {
          parentOf(document, path)[key][name] = '';
        });
      }
      yield change(`${place} with an undeclared extension`, (document) => {
        parentOf(document, path)[key].extensions = { KHR_materials_sheen: {} };
      });
      yield change(`${place} with an extension for another place`, (document) => {
        parentOf(document, path)[key].extensions = { KHR_materials_unlit: {}, EXT_texture_webp: {} };
      });
    }
  }
  for (let at = 0; at + 4 <= original.binary.length; at += 4) {
    for (const word of WORDS) {
      const binary = Buffer.from(original.binary);
      binary.writeUInt32LE(word, at);
      yield [`word at ${at} = 0x${word.toString(16)}`, writeCompleteModel({ document: original.document, binary })];
    }
  }
  const containerBytes = [...Array(24).keys(), ...[...Array(12).keys()].map((at) => unchanged.length - original.binary.length - 12 + at)];
  for (const at of containerBytes) {
    for (const byte of [0, 1, 4, 0x20, 0xff]) {
      const bytes = Buffer.from(unchanged);
      bytes[at] = byte;
      yield [`byte ${at} = ${byte}`, bytes];
    }
  }
  for (const length of [...Array(40).keys(), unchanged.length - 1, unchanged.length - 4, unchanged.length >> 1]) {
    yield [`cut off at ${length}`, unchanged.subarray(0, length)];
  }
}

const [folder, step = '1'] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node mutants.mjs FOLDER [STEP]');
  process.exit(2);
}
await mkdir(folder, { recursive: true });
const [listed, bodies] = [[], []];
let number = 0;
for (const [change, bytes] of mutants()) {
  if (number++ % Number(step) !== 0) continue;
  const { errors, first } = await judgeModel(bytes);
  if (errors === null) continue;
  listed.push({ change, length: bytes.length, errors, first });
  bodies.push(bytes);
}
await writeFile(join(folder, 'mutants.bin'), Buffer.concat(bodies));
await writeFile(join(folder, 'mutants.json'), JSON.stringify(listed));
const broken = listed.filter(({ errors }) => errors > 0).length;
console.log(`${listed.length} changed models, ${broken} of them broken`);
