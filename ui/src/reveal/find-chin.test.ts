import { Vector3 } from 'three';
import { describe, expect, it } from 'vitest';
import { findChin } from './find-chin';

/** The front of a figure from the mouth (height 0) downwards, for a head of height 1. */
function createFront(depthAt: (below: number) => number): Vector3[] {
  const points: Vector3[] = [];
  for (let below = -0.1; below < 1; below += 0.02)
    for (const x of [-0.06, 0, 0.06, 0.3]) points.push(new Vector3(x, -below, depthAt(below)));
  return points;
}
const MOUTH = new Vector3(0, 0, 0.4);

describe('the chin', () => {
  it('is where the front recedes to the throat', () => {
    const chin = findChin(
      createFront((below) => (below < 0.22 ? 0.42 : below < 0.3 ? 0.4 : 0.1)),
      MOUTH,
      1,
    );
    expect(chin?.point.y).toBeCloseTo(-0.28);
    expect(chin?.point.z).toBeCloseTo(0.42);
    expect(chin?.headHeight).toBe(1);
  });

  it('is not the fold below the lower lip', () => {
    const chin = findChin(
      createFront((below) => (below > 0.1 && below < 0.14 ? 0.36 : below < 0.3 ? 0.42 : 0.1)),
      MOUTH,
      1,
    );
    expect(chin?.point.y).toBeCloseTo(-0.28);
  });

  it('is unknown where a scarf covers the throat, and where a head ends', () => {
    expect(
      findChin(
        createFront(() => 0.42),
        MOUTH,
        1,
      ),
    ).toBeNull();
    const head = createFront((below) => (below < 0.3 ? 0.42 : 0.3)).filter(({ y }) => y > -0.3);
    expect(findChin(head, MOUTH, 1)).toBeNull();
  });

  it('is found at any size', () => {
    const figure = createFront((below) => (below < 0.3 ? 0.42 : 0.1)).map((point) =>
      point.multiplyScalar(170),
    );
    expect(findChin(figure, MOUTH.clone().multiplyScalar(170), 170)?.point.y).toBeCloseTo(-0.28 * 170);
  });
});
