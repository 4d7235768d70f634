// The head of the figure of contour lines: its shape without a face, and how it is projected onto the drawing.

/** A point of the drawing: to the right, and down. */
export type DrawingPoint = readonly [right: number, down: number];
/** A point on the front of the face, as seen from the front: to the right, and up. */
export type FacePoint = readonly [x: number, y: number];
/** A point of the head, or a direction: to its left, up, and to the front. */
export type HeadPoint = readonly [x: number, y: number, z: number];

/** How the head is turned to the side and bowed (radians). */
export interface HeadPose {
  yaw: number;
  pitch: number;
}

/** The figure as it is turned on the stage. */
export const STAGE_POSE: HeadPose = { yaw: -0.22, pitch: 0.16 };

export const mapPoint = (
  [x, y, z]: HeadPoint,
  change: (part: number, axis: 0 | 1 | 2) => number,
): HeadPoint => [change(x, 0), change(y, 1), change(z, 2)];

/** The direction with length 1. */
export function normalized(direction: HeadPoint): HeadPoint {
  const length = Math.hypot(...direction);
  return mapPoint(direction, (part) => part / length);
}

/** Numbers from -1 to 1. */
export const samples = (count: number) => Array.from({ length: count + 1 }, (_, i) => (2 * i) / count - 1);

/** Projects a point of the head. */
export function projectHeadPoint(x: number, y: number, z: number, { yaw, pitch }: HeadPose): DrawingPoint {
  const right = x * Math.cos(yaw) + z * Math.sin(yaw);
  const near = z * Math.cos(yaw) - x * Math.sin(yaw);
  return [right, -y * Math.cos(pitch) + near * Math.sin(pitch)];
}

/** A curve through a few points, which descend in y. */
export type ContourCurve = readonly (readonly [y: number, value: number])[];

/** Below 1, the head is broader than an ellipse. */
export const FLATNESS = 0.9;

// Half-width, front depth and back depth by height, from the crown to the shoulders.
export const HALF_WIDTH_CURVE: ContourCurve = [
  [1.06, 0],
  [1.03, 0.215],
  [0.95, 0.375],
  [0.8, 0.51],
  [0.55, 0.595],
  [0.25, 0.62],
  [0, 0.613],
  [-0.25, 0.59],
  [-0.5, 0.555],
  [-0.7, 0.48],
  [-0.85, 0.385],
  [-1, 0.325],
  [-1.2, 0.335],
  [-1.36, 0.43],
  [-1.5, 0.68],
  [-1.65, 1.03],
  [-1.8, 1.24],
  [-1.95, 1.33],
];
export const FRONT_DEPTH_CURVE: ContourCurve = [
  [1.06, 0],
  [1.03, 0.26],
  [0.95, 0.46],
  [0.8, 0.64],
  [0.55, 0.78],
  [0.3, 0.83],
  [0.18, 0.84],
  [0.05, 0.79],
  [-0.2, 0.78],
  [-0.5, 0.79],
  [-0.68, 0.77],
  [-0.82, 0.79],
  [-0.93, 0.7],
  [-1.0, 0.44],
  [-1.06, 0.3],
  [-1.2, 0.26],
  [-1.4, 0.28],
  [-1.6, 0.42],
  [-1.95, 0.6],
];
export const BACK_DEPTH_CURVE: ContourCurve = [
  [1.06, 0],
  [1.03, 0.279],
  [0.95, 0.502],
  [0.8, 0.71],
  [0.5, 0.902],
  [0.2, 0.931],
  [-0.1, 0.88],
  [-0.5, 0.62],
  [-0.9, 0.48],
  [-1.2, 0.46],
  [-1.5, 0.52],
  [-1.95, 0.56],
];

/** Interpolated value of a curve at height `y`. */
export function interpolateCurveAtHeight(curve: ContourCurve, y: number): number {
  const i = curve.findIndex(([height]) => height <= y);
  const [upper, lower] = [curve[Math.max(0, i - 1)], curve[i < 0 ? curve.length - 1 : i]];
  if (!upper || !lower) return 0;
  if (i <= 0) return lower[1];
  const t = (upper[0] - y) / (upper[0] - lower[0]);
  const eased = i === 1 ? Math.sqrt(t) : t * t * (3 - 2 * t) * 0.35 + t * 0.65;
  return upper[1] + (lower[1] - upper[1]) * eased;
}
