// What shiny things mirror, and what reaches into every shadow: a dark room with three soft boxes. Prefiltered
// beforehand by scripts/studio-light.ts: a graphics card that the processor plays takes ten seconds for it.
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

/** A glowing panel that looks at the figure. */
export interface SoftBox {
  width: number;
  height: number;
  /** Its middle; the figure stands at the origin. */
  at: readonly [x: number, y: number, z: number];
  colour: string;
  power: number;
}

/** The walls of the room. */
export const WALL_COLOUR = '#1a1c26';
/** What glows in it: a warm key, a cool fill, a rim from above and behind. */
export const SOFT_BOXES: readonly SoftBox[] = [
  { width: 3.2, height: 4.2, at: [-4, 3, 3.4], colour: '#ffe6cc', power: 9 },
  { width: 1.6, height: 4.6, at: [4.6, 1, 1.5], colour: '#9fbfff', power: 4 },
  { width: 4, height: 1, at: [0, 5, -2.5], colour: '#ffc79a', power: 7 },
];
/** How much the edges of the boxes are softened (radians). */
export const EDGE_SOFTNESS = 0.05;

/** Pixels along a side of the cube at each level, from mirror to matt. */
export const LEVEL_SIZES: readonly number[] = [64, 32, 16, 8];
/** Numbers in the file: red, green and blue in half precision, by level, face and row. */
export const TEXEL_VALUE_COUNT = LEVEL_SIZES.reduce((sum, side) => sum + 6 * side * side * 3, 0);

/** Fetches the light. The caller disposes of it. */
export async function loadStudioEnvironment(
  signal: AbortSignal | null = null,
): Promise<CompressedCubeTexture> {
  const response = await fetch(address, { signal });
  if (!response.ok) throw new Error(`the studio’s light was not served: ${response.status}`);
  return toEnvironmentTexture(new Uint16Array(await response.arrayBuffer()));
}

/** As the shaders of three.js take an environment that is prefiltered: a cube whose levels are its roughness. */
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
  // Nothing of it is compressed, but this is the one kind of cube that comes with its levels.
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

/** In half precision. */
const HALF_FLOAT_ONE = 0x3c00;
