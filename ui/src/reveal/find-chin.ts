// Finds the chin of a figure: where its front recedes below the mouth, towards the throat.
import { Vector3 } from 'three';

/** The chin of a figure. */
export interface Chin {
  /** Its lowest point at the front. */
  point: Vector3;
  /** The height of the head, by which the size of its parts is estimated. */
  headHeight: number;
}

/** Measures in heights of the head: half the width of the strip whose outline is followed, and the height of its steps. */
const STRIP = 0.09;
const STEP = 0.04;
/** How far below the mouth the search begins, after the lower lip, and where it ends. */
const FIRST = 0.06;
const LAST = 0.7;
/** How far a throat is at least behind the chin, and what is still the chin. */
const THROAT_DEPTH = 0.12;
const CHIN_DEPTH = 0.07;

/**
 * The chin of an upright figure that faces +Z, found from its vertices. Null where nothing recedes below the mouth, as
 * with a scarf.
 */
export function findChin(points: readonly Vector3[], mouth: Vector3, headHeight: number): Chin | null {
  const steps: Vector3[][] = [];
  for (const point of points) {
    const below = (mouth.y - point.y) / headHeight;
    if (below < FIRST || below >= LAST || Math.abs(point.x - mouth.x) > STRIP * headHeight) continue;
    const step = Math.floor((below - FIRST) / STEP);
    steps[step] ??= [];
    steps[step].push(point);
  }
  const chin: Vector3[] = [];
  let foremost = Number.NEGATIVE_INFINITY;
  for (const step of steps) {
    if (!step) continue;
    const front = Math.max(...step.map(({ z }) => z));
    if (front < foremost - THROAT_DEPTH * headHeight) {
      const lowest = Math.min(
        ...chin.filter(({ z }) => z > foremost - CHIN_DEPTH * headHeight).map(({ y }) => y),
      );
      return { point: new Vector3(mouth.x, lowest, foremost), headHeight };
    }
    foremost = Math.max(foremost, front);
    chin.push(...step);
  }
  return null;
}
