// @vitest-environment node
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { expect, it } from 'vitest';
import { removeEvalFromTranscoder } from './basis-without-eval';

const path = createRequire(import.meta.url).resolve('three/examples/jsm/libs/basis/basis_transcoder.js');
const source = readFileSync(path, 'utf8');

/** What the test uses of the transcoder. */
interface Basis {
  initializeBasis(): void;
  KTX2File: new (
    bytes: Uint8Array,
  ) => {
    isValid(): boolean;
    getWidth(): number;
    startTranscoding(): number;
    getImageTranscodedSizeInBytes(level: number, layer: number, face: number, format: number): number;
    transcodeImage(
      target: Uint8Array,
      ...rest: [level: number, layer: number, face: number, format: number, a: number, b: number, c: number]
    ): number;
    close(): void;
    delete(): void;
  };
}

const RGBA = 13;

it('decodes a texture where functions must not be made from text', async () => {
  const context = createContext(
    { WebAssembly, Uint8Array, console, performance, TextDecoder },
    { codeGeneration: { strings: false, wasm: true } },
  );
  const wasmBinary = readFileSync(path.replace(/js$/, 'wasm'));
  const open = async (code: string) => {
    const factory = runInContext(`var self = globalThis; ${code}; BASIS`, context) as (
      options: object,
    ) => Promise<Basis>;
    return factory({ wasmBinary });
  };
  // The reason for this module.
  await expect(open(source)).rejects.toThrow(/[Cc]ode generation from strings/);
  const basis = await open(removeEvalFromTranscoder(source));
  basis.initializeBasis();
  const texture = readFileSync(join(import.meta.dirname, 'face-etc1s.ktx2'));
  const file = new basis.KTX2File(new Uint8Array(texture));
  expect(file.isValid()).toBe(true);
  expect(file.getWidth()).toBe(128);
  expect(file.startTranscoding()).toBe(1);
  const pixels = new Uint8Array(file.getImageTranscodedSizeInBytes(0, 0, 0, RGBA));
  expect(pixels).toHaveLength(128 * 128 * 4);
  expect(file.transcodeImage(pixels, 0, 0, 0, RGBA, 0, -1, -1)).toBe(1);
  // Green in the left eye.
  const at = (Math.round(0.42 * 128) * 128 + Math.round(0.57 * 128)) * 4;
  const [red = 0, green = 0, blue = 0] = pixels.subarray(at, at + 3);
  expect(green).toBeGreaterThan(2 * Math.max(red, blue));
  file.close();
  file.delete();
});

it('refuses a transcoder that it was not written for', () => {
  expect(() => removeEvalFromTranscoder('another version')).toThrow(/another version/);
});
