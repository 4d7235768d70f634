// Exposes for the face, as a camera does: a dark one is not lost in the dark of the stage, a bright one keeps its
// features.
import { type Box3, type PerspectiveCamera, Vector3, type WebGLRenderer } from 'three';
import { readDrawnPixels } from './read-pixels';

/** Linear luminances (0 to 1) of a face between which it is shown as it is: sRGB greys of about 92 and 197. */
const DARKEST_FACE = 0.108;
const BRIGHTEST_FACE = 0.56;
/** The share of the distance (in stops) beyond these luminances that stays: dark and light faces differ on the stage. */
const REMAINING_DISTANCE = 0.5;
const MIN_EXPOSURE = 0.7;
const MAX_EXPOSURE = 2.1;
/** Linear luminances at exposure 1 of a face that is lit as a dark one, and as a light one. */
const DARK_FACE = 0.06;
const LIGHT_FACE = 0.18;
/** Pixels along a side of the metered picture. */
export const METER_SIZE = 16;

/** The exposure after which a face that had the luminance `measured` at `exposure` is neither too dark nor too bright. */
export function exposureForFace(measured: number, exposure = 1): number {
  const asIs = Math.max(measured, 1e-3) / exposure;
  const nearest = Math.min(BRIGHTEST_FACE, Math.max(DARKEST_FACE, asIs));
  const wanted = nearest * (asIs / nearest) ** REMAINING_DISTANCE;
  const corrected = exposure * (wanted / Math.max(measured, 1e-3));
  return Math.min(MAX_EXPOSURE, Math.max(MIN_EXPOSURE, corrected));
}

/** How dark a face is, 0 to 1, that has the luminance `measured` at exposure 1. */
export function darknessOfFace(measured: number): number {
  return Math.min(1, Math.max(0, (LIGHT_FACE - measured) / (LIGHT_FACE - DARK_FACE)));
}

/** The median linear luminance of the opaque pixels, from RGBA of 8 bits in sRGB; null when nearly none is opaque. */
export function medianLuminance(pixels: Uint8Array): number | null {
  const found: number[] = [];
  for (let at = 0; at < pixels.length; at += 4) {
    if ((pixels[at + 3] ?? 0) < 250) continue;
    const [r = 0, g = 0, b = 0] = [...pixels.subarray(at, at + 3)].map(srgbByteToLinear);
    found.push(0.2126 * r + 0.7152 * g + 0.0722 * b);
  }
  if (found.length * 40 < pixels.length / 4) return null;
  return found.sort((a, b) => a - b)[Math.floor(found.length / 2)] ?? null;
}

/** A value of 8 bits in sRGB as a linear one, 0 to 1. */
function srgbByteToLinear(value: number): number {
  const v = value / 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}

/**
 * Draws only `face` (in the coordinates of the stage) on the canvas, which must be of `METER_SIZE`, and returns its
 * median luminance without waiting for the card; null when nothing is there.
 */
export async function measureFaceLuminance(
  renderer: WebGLRenderer,
  camera: PerspectiveCamera,
  face: Box3,
  draw: () => void,
  signal: AbortSignal,
): Promise<number | null> {
  const { left, top, width, height } = projectBoxToPictureRect(face, camera);
  camera.setViewOffset(1, 1, left, top, width, height);
  try {
    draw();
    return medianLuminance(await readDrawnPixels(renderer, METER_SIZE, METER_SIZE, signal));
  } finally {
    camera.clearViewOffset();
  }
}

/** The rectangle of a box in the picture, as shares of its width and height from the upper left. */
function projectBoxToPictureRect(
  box: Box3,
  camera: PerspectiveCamera,
): { left: number; top: number; width: number; height: number } {
  camera.updateMatrixWorld();
  const [a, b] = [box.min, box.max].map((corner) => {
    const point = new Vector3(corner.x, corner.y, box.max.z).project(camera);
    return { x: (point.x + 1) / 2, y: (1 - point.y) / 2 };
  });
  if (!a || !b) throw new Error('a box has two corners');
  return { left: a.x, top: b.y, width: b.x - a.x, height: a.y - b.y };
}
