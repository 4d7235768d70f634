// Prefilters the environment map of the reveal, as three.js would on a graphics card: `npm run light` after a change
// of src/reveal/studio-environment.ts. Computes what a surface of each roughness reflects from each direction.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Color, DataUtils } from 'three';
import {
  EDGE_SOFTNESS,
  LEVEL_SIZES,
  SOFT_BOXES,
  type SoftBox,
  WALL_COLOUR,
} from '../src/reveal/studio-environment';

const lightFile = join(dirname(fileURLToPath(import.meta.url)), '../src/reveal/studio-light.bin');

type Vector = [number, number, number];

const dotProduct = (a: Vector, b: Vector) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const crossProduct = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
const normalise = (a: Vector): Vector => {
  const length = Math.hypot(...a);
  return [a[0] / length, a[1] / length, a[2] / length];
};
const linearColour = (colour: string, power = 1): Vector =>
  new Color(colour).multiplyScalar(power).toArray() as Vector;

/** Prefilters the studio light: computes the expected content of `src/reveal/studio-light.bin`. */
export function prefilterStudioLight(): Uint16Array {
  const mirror = renderFinestMirrorLevel();
  const rough = LEVEL_SIZES.slice(1).flatMap((side, finer) => {
    // The roughness for which three.js' shaders choose this level.
    const roughness = 1 - Math.sqrt(1 - (finer + 1) / (LEVEL_SIZES.length - 1));
    return [...texelDirections(side)].flatMap((direction) =>
      reflectionAtRoughness(mirror, direction, roughness),
    );
  });
  return Uint16Array.from([...mirror.seen, ...rough], (number) => DataUtils.toHalfFloat(number));
}

/** Reads the committed `src/reveal/studio-light.bin`. */
export function readCommittedStudioLight(): Uint16Array {
  const bytes = readFileSync(lightFile);
  return new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** The finest level: the room as a mirror reflects it, softened. */
interface FinestReflectionLevel {
  /** The direction of each texel, three numbers each, flat because there are very many. */
  towards: Float64Array;
  /** The radiance of each texel, likewise. */
  seen: Float64Array;
  /** The share of the sphere of each texel. */
  shares: Float64Array;
}

/** Renders the mirror level, which is the finest: the direction, softened radiance and solid angle of each texel. */
function renderFinestMirrorLevel(): FinestReflectionLevel {
  const side = LEVEL_SIZES[0] ?? 1;
  const all = [...texelDirections(side)];
  return {
    towards: Float64Array.from(all.flat()),
    seen: Float64Array.from(all.flatMap(gaussianBlurredRadiance)),
    shares: Float64Array.from(solidAngleShares(side)),
  };
}

/** The direction of each texel of a cube: faces and rows in WebGL's order, mirrored as three.js does. */
function* texelDirections(side: number): Generator<Vector> {
  for (const place of CUBE_FACES)
    for (const [s, t] of texelGrid(side)) {
      const [x, y, z] = normalise(place(s, t));
      yield [-x, y, z];
    }
}

const CUBE_FACES: readonly ((s: number, t: number) => Vector)[] = [
  (s, t) => [1, -t, -s],
  (s, t) => [-1, -t, s],
  (s, t) => [s, 1, t],
  (s, t) => [s, -1, -t],
  (s, t) => [s, -t, 1],
  (s, t) => [-s, -t, -1],
];

function* solidAngleShares(side: number): Generator<number> {
  for (const _ of CUBE_FACES) for (const [s, t] of texelGrid(side)) yield (1 + s * s + t * t) ** -1.5;
}

function* texelGrid(side: number): Generator<[number, number]> {
  for (let row = 0; row < side; row += 1)
    for (let column = 0; column < side; column += 1)
      yield [(2 * column + 1) / side - 1, (2 * row + 1) / side - 1];
}

const ORIENTED_BOXES = SOFT_BOXES.map((box) => ({
  ...softBoxAxesAndSize(box),
  light: linearColour(box.colour, box.power),
}));
const WALL_RADIANCE = linearColour(WALL_COLOUR);

/** The axes and the size of a soft box that stands upright and faces the avatar. */
function softBoxAxesAndSize({ at, width, height }: SoftBox) {
  const middle: Vector = [...at];
  const facing = normalise(middle.map((x) => -x) as Vector);
  const right = normalise(crossProduct([0, 1, 0], facing));
  return { middle, facing, right, up: crossProduct(facing, right), width, height };
}

/** The radiance that reaches the avatar from a direction: from the first soft box there, else from the wall. */
function radianceFromDirection(towards: Vector): Vector {
  for (const { middle, facing, right, up, width, height, light } of ORIENTED_BOXES) {
    const approach = dotProduct(towards, facing);
    if (approach >= 0) continue;
    const far = dotProduct(middle, facing) / approach;
    const hit: Vector = [towards[0] * far, towards[1] * far, towards[2] * far];
    const from: Vector = [hit[0] - middle[0], hit[1] - middle[1], hit[2] - middle[2]];
    if (Math.abs(dotProduct(from, right)) <= width / 2 && Math.abs(dotProduct(from, up)) <= height / 2)
      return light;
  }
  return WALL_RADIANCE;
}

const BLUR_SAMPLES = 128;
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));

/** The radiance around a direction, weighted by a Gaussian. */
function gaussianBlurredRadiance(direction: Vector): Vector {
  const aside = normalise(crossProduct(Math.abs(direction[2]) < 0.999 ? [0, 0, 1] : [1, 0, 0], direction));
  const beyond = crossProduct(direction, aside);
  const sum: Vector = [0, 0, 0];
  for (let i = 0; i < BLUR_SAMPLES; i += 1) {
    const off = EDGE_SOFTNESS * Math.sqrt(-2 * Math.log(1 - (i + 0.5) / BLUR_SAMPLES));
    const [u, v] = [Math.cos(i * GOLDEN_ANGLE) * off, Math.sin(i * GOLDEN_ANGLE) * off];
    const seen = radianceFromDirection(
      normalise(
        [0, 1, 2].map((k) => (direction[k] ?? 0) + u * (aside[k] ?? 0) + v * (beyond[k] ?? 0)) as Vector,
      ),
    );
    for (const k of [0, 1, 2] as const) sum[k] += seen[k] / BLUR_SAMPLES;
  }
  return sum;
}

/** What a surface reflects: the radiance around its direction, weighted by the facet distribution (GGX). */
function reflectionAtRoughness(
  { towards, seen, shares }: FinestReflectionLevel,
  [x, y, z]: Vector,
  roughness: number,
): Vector {
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
  writeFileSync(lightFile, prefilterStudioLight());
  console.log(`written: ${lightFile}`);
}
