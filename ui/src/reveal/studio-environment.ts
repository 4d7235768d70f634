// The environment map of the reveal: a dark room with three soft boxes. Prefiltered by scripts/studio-light.ts,
// because a software renderer needs ten seconds for it. Written against the layout of prefiltered environments in
// three 0.187.0; a test checks the texture.
import {
  CompressedCubeTexture,
  type CompressedTexture,
  HalfFloatType,
  LinearFilter,
  LinearMipmapLinearFilter,
  LinearSRGBColorSpace,
  RGBAFormat,
} from 'three';
import address from './studio-light.bin?url';

/** A glowing panel that faces the avatar. */
export interface SoftBox {
  width: number;
  height: number;
  /** Its centre; the avatar is at the origin. */
  at: readonly [x: number, y: number, z: number];
  colour: string;
  power: number;
}

/** The colour of the room's walls. */
export const WALL_COLOUR = '#1a1c26';
/** A warm key light, a nearly white fill, and a rim from above and behind. None is blue, as in `studio-lights.ts`. */
export const SOFT_BOXES: readonly SoftBox[] = [
  { width: 3.2, height: 4.2, at: [-4, 3, 3.4], colour: '#ffe6cc', power: 9 },
  { width: 1.6, height: 4.6, at: [4.6, 1, 1.5], colour: '#fff2ea', power: 3 },
  { width: 4, height: 1, at: [0, 5, -2.5], colour: '#ffc79a', power: 7 },
];
/** Softening of the boxes' edges in radians. */
export const EDGE_SOFTNESS = 0.05;

/** Pixels along a side of the cube at each level, from mirror to matt. */
export const LEVEL_SIZES: readonly number[] = [64, 32, 16, 8];
/** Values in the file: red, green and blue in half precision, by level, face and row. */
export const TEXEL_VALUE_COUNT = LEVEL_SIZES.reduce((sum, side) => sum + 6 * side * side * 3, 0);

/** Fetches the studio's light as an environment texture, which the caller disposes of. */
export async function loadStudioEnvironment(
  signal: AbortSignal | null = null,
): Promise<CompressedCubeTexture> {
  const response = await fetch(address, { signal });
  if (!response.ok) throw new Error(`the studio’s light was not served: ${response.status}`);
  return toEnvironmentTexture(new Uint16Array(await response.arrayBuffer()));
}

/** A prefiltered environment in the form that three.js' shaders expect: a cube whose mip levels are its roughness. */
export function toEnvironmentTexture(numbers: Uint16Array): CompressedCubeTexture {
  if (numbers.length !== TEXEL_VALUE_COUNT) throw new Error('the studio’s light is not whole');
  const faces = Array.from({ length: 6 }, () => ({
    mipmaps: [] as { data: Uint16Array; width: number; height: number }[],
    width: LEVEL_SIZES[0] ?? 0,
    height: LEVEL_SIZES[0] ?? 0,
  }));
  let at = 0;
  for (const side of LEVEL_SIZES)
    for (const { mipmaps } of faces) {
      const data = new Uint16Array(side * side * 4).fill(HALF_FLOAT_ONE);
      for (let texel = 0; texel < side * side; texel += 1, at += 3)
        data.set(numbers.subarray(at, at + 3), texel * 4);
      mipmaps.push({ data, width: side, height: side });
    }
  // Nothing is compressed, but only this cube texture accepts its own mip levels.
  const texture = new CompressedCubeTexture(
    faces as unknown as CompressedTexture[],
    undefined,
    HalfFloatType,
  );
  texture.format = RGBAFormat as unknown as typeof texture.format;
  texture.magFilter = LinearFilter;
  texture.minFilter = LinearMipmapLinearFilter;
  texture.colorSpace = LinearSRGBColorSpace;
  texture.isPMREMTexture = true;
  texture.needsUpdate = true;
  return texture;
}

/** 1.0 in half precision. */
const HALF_FLOAT_ONE = 0x3c00;
