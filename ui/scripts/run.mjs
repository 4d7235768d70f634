// Runs a TypeScript file of this project: `node scripts/run.mjs e2e/pictures.ts`.
import { resolve } from 'node:path';
import process from 'node:process';
import { runnerImport } from 'vite';

const file = process.argv[2];
if (!file) throw new Error('which file?');
await runnerImport(resolve(file), { configFile: false, logLevel: 'error' });
