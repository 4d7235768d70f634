// The ears of the figure of contour lines.
import {
  type DrawingPoint,
  type FacePoint,
  HALF_WIDTH_CURVE,
  type HeadPose,
  interpolateCurveAtHeight,
  projectHeadPoint,
} from './contour-head';

/** The middle of the ears, and the size of one. */
const EAR = { y: -0.07, z: -0.1, width: 0.15, height: 0.225 } as const;

/** The rim from the top, where it leaves the head, around to the lobe: out from the head, and up, in sizes of the ear. */
const RIM: readonly FacePoint[] = [
  [0, 0.56],
  [0.1, 0.86],
  [0.36, 1],
  [0.68, 0.97],
  [0.93, 0.72],
  [0.98, 0.36],
  [0.86, -0.08],
  [0.68, -0.46],
  [0.55, -0.82],
  [0.34, -1],
  [0.12, -0.92],
  [0, -0.64],
];
/** In front of it, from the lobe up to the rim: the small cover of the opening. */
const FRONT: readonly FacePoint[] = [
  [0, -0.64],
  [0.04, -0.34],
  [0.15, -0.14],
  [0.13, 0.04],
  [0.03, 0.2],
  [0, 0.56],
];
/** The fold within the rim, and the hollow within the fold. */
const FOLD: readonly FacePoint[] = [
  [0.2, -0.52],
  [0.4, -0.56],
  [0.54, -0.3],
  [0.68, 0.06],
  [0.74, 0.42],
  [0.62, 0.72],
  [0.36, 0.76],
  [0.2, 0.58],
];
const HOLLOW: readonly FacePoint[] = [
  [0.24, 0.34],
  [0.42, 0.3],
  [0.5, 0.08],
  [0.4, -0.2],
  [0.26, -0.34],
];
/** How far out the rim of the ear that is turned away is seen beside the head. */
const SEEN_FAR_EAR = 0.82;

/** Draws the ears of a head that is turned to its right: one with a closed edge, and the rim of the other. */
export function createContourEars(pose: HeadPose): DrawingPoint[][] {
  const base = interpolateCurveAtHeight(HALF_WIDTH_CURVE, EAR.y) - 0.02;
  const project = (side: 1 | -1, points: readonly FacePoint[]): DrawingPoint[] =>
    points.map(([out, up]) =>
      projectHeadPoint(side * (base + EAR.width * out), EAR.y + EAR.height * up, EAR.z - 0.1 * out, pose),
    );
  const rim = smoothCurve(RIM);
  const front = smoothCurve(FRONT);
  return [
    project(1, [...rim, ...front.slice(1)]),
    project(1, smoothCurve(FOLD)),
    project(1, smoothCurve(HOLLOW)),
    project(
      -1,
      rim.filter(([out]) => out > SEEN_FAR_EAR),
    ),
  ];
}

/** A smooth curve through points (Catmull-Rom), with a few points between each two. */
function smoothCurve(points: readonly FacePoint[]): FacePoint[] {
  const BETWEEN = 6;
  const at = (i: number): FacePoint => points[Math.min(points.length - 1, Math.max(0, i))] ?? [0, 0];
  const curve: FacePoint[] = [];
  for (let i = 0; i < points.length - 1; i += 1) {
    const [a, b, c, d] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    for (let step = 0; step < BETWEEN; step += 1) {
      const t = step / BETWEEN;
      const blend = (k: 0 | 1) =>
        0.5 *
        (2 * b[k] +
          (c[k] - a[k]) * t +
          (2 * a[k] - 5 * b[k] + 4 * c[k] - d[k]) * t ** 2 +
          (3 * b[k] - a[k] - 3 * c[k] + d[k]) * t ** 3);
      curve.push([blend(0), blend(1)]);
    }
  }
  return [...curve, at(points.length - 1)];
}
