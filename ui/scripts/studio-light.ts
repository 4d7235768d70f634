// Prefilters the light of the reveal's studio, as three.js would on a graphics card: `npm run light` after a change of
// src/reveal/soft-boxes.ts. For each direction and roughness: what a surface of that roughness mirrors from there.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Color, DataUtils } from 'three';
import { SIDES, SOFT_BOXES, SOFTNESS, type SoftBox, WALLS } from '../src/reveal/studio-environment';

const generated = join(dirname(fileURLToPath(import.meta.url)), '../src/reveal/studio-light.bin');

type Vector = [number, number, number];

const dot = (a: Vector, b: Vector) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
const unit = (a: Vector): Vector => {
  const length = Math.hypot(...a);
  return [a[0] / length, a[1] / length, a[2] / length];
};
const linear = (colour: string, power = 1): Vector =>
  new Color(colour).multiplyScalar(power).toArray() as Vector;

/** `src/reveal/studio-light.bin` as it must be. */
export function light(): Uint16Array {
  const mirror = mirrored();
  const rough = SIDES.slice(1).flatMap((side, finer) => {
    // As the shaders of three.js choose the level.
    const roughness = 1 - Math.sqrt(1 - (finer + 1) / (SIDES.length - 1));
    return [...directions(side)].flatMap((direction) => spread(mirror, direction, roughness));
  });
  return Uint16Array.from([...mirror.seen, ...rough], (number) => DataUtils.toHalfFloat(number));
}

/** The committed file. */
export function committedLight(): Uint16Array {
  const bytes = readFileSync(generated);
  return new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** The finest level: the room as a mirror shows it, softened. */
interface Mirror {
  /** Where each texel looks, three numbers each: there are very many. */
  towards: Float64Array;
  /** What is seen there, likewise. */
  seen: Float64Array;
  /** How much of the sphere each takes up. */
  shares: Float64Array;
}

function mirrored(): Mirror {
  const side = SIDES[0] ?? 1;
  const all = [...directions(side)];
  return {
    towards: Float64Array.from(all.flat()),
    seen: Float64Array.from(all.flatMap(softened)),
    shares: Float64Array.from(shares(side)),
  };
}

/** Where each texel of a cube looks: faces and rows as WebGL orders them, seen from within as three.js mirrors them. */
function* directions(side: number): Generator<Vector> {
  for (const place of FACES)
    for (const [s, t] of grid(side)) {
      const [x, y, z] = unit(place(s, t));
      yield [-x, y, z];
    }
}

const FACES: readonly ((s: number, t: number) => Vector)[] = [
  (s, t) => [1, -t, -s],
  (s, t) => [-1, -t, s],
  (s, t) => [s, 1, t],
  (s, t) => [s, -1, -t],
  (s, t) => [s, -t, 1],
  (s, t) => [-s, -t, -1],
];

function* shares(side: number): Generator<number> {
  for (const _ of FACES) for (const [s, t] of grid(side)) yield (1 + s * s + t * t) ** -1.5;
}

function* grid(side: number): Generator<[number, number]> {
  for (let row = 0; row < side; row += 1)
    for (let column = 0; column < side; column += 1)
      yield [(2 * column + 1) / side - 1, (2 * row + 1) / side - 1];
}

const BOXES = SOFT_BOXES.map((box) => ({ ...standing(box), light: linear(box.colour, box.power) }));
const DARK = linear(WALLS);

/** Turned to the figure, upright. */
function standing({ at, width, height }: SoftBox) {
  const middle: Vector = [...at];
  const facing = unit(middle.map((x) => -x) as Vector);
  const right = unit(cross([0, 1, 0], facing));
  return { middle, facing, right, up: cross(facing, right), width, height };
}

function radiance(towards: Vector): Vector {
  for (const { middle, facing, right, up, width, height, light } of BOXES) {
    const approach = dot(towards, facing);
    if (approach >= 0) continue;
    const far = dot(middle, facing) / approach;
    const hit: Vector = [towards[0] * far, towards[1] * far, towards[2] * far];
    const from: Vector = [hit[0] - middle[0], hit[1] - middle[1], hit[2] - middle[2]];
    if (Math.abs(dot(from, right)) <= width / 2 && Math.abs(dot(from, up)) <= height / 2) return light;
  }
  return DARK;
}

const SAMPLES = 128;
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));

/** What is seen there, weighed over the surroundings by a bell curve. */
function softened(direction: Vector): Vector {
  const aside = unit(cross(Math.abs(direction[2]) < 0.999 ? [0, 0, 1] : [1, 0, 0], direction));
  const beyond = cross(direction, aside);
  const sum: Vector = [0, 0, 0];
  for (let i = 0; i < SAMPLES; i += 1) {
    const off = SOFTNESS * Math.sqrt(-2 * Math.log(1 - (i + 0.5) / SAMPLES));
    const [u, v] = [Math.cos(i * GOLDEN_ANGLE) * off, Math.sin(i * GOLDEN_ANGLE) * off];
    const seen = radiance(
      unit([0, 1, 2].map((k) => (direction[k] ?? 0) + u * (aside[k] ?? 0) + v * (beyond[k] ?? 0)) as Vector),
    );
    for (const k of [0, 1, 2] as const) sum[k] += seen[k] / SAMPLES;
  }
  return sum;
}

/** What a surface that looks there mirrors: all before it, weighed by the distribution of its facets (GGX). */
function spread({ towards, seen, shares }: Mirror, [x, y, z]: Vector, roughness: number): Vector {
  const alpha2 = roughness ** 4;
  let [red, green, blue, whole] = [0, 0, 0, 0];
  const at = (numbers: Float64Array, i: number) => numbers[i] ?? 0;
  for (let i = 0, k = 0; i < shares.length; i += 1, k += 3) {
    const slant = x * at(towards, k) + y * at(towards, k + 1) + z * at(towards, k + 2);
    if (slant <= 0) continue;
    const spreading = 1 + alpha2 + (alpha2 - 1) * slant;
    const weight = (slant * at(shares, i)) / (spreading * spreading);
    red += weight * at(seen, k);
    green += weight * at(seen, k + 1);
    blue += weight * at(seen, k + 2);
    whole += weight;
  }
  return [red / whole, green / whole, blue / whole];
}

if (process.argv.includes('--write')) {
  writeFileSync(generated, light());
  console.log(`written: ${generated}`);
}
