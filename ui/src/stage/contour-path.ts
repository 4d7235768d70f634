// The figure on the stage: head and shoulders as contour lines, like a 3D scan. Generated, and nobody's likeness.

/** The view box, in the drawing's units. */
export const CONTOUR_FRAME = { x: -1.5, y: -1.28, width: 3, height: 3.36 } as const;

/** The visible contour lines as SVG path data. */
export function createContourPathData(lines = 108, yaw = -0.22, pitch = 0.16): string {
  const horizon = new Float64Array(HORIZON_COLUMNS).fill(Number.NEGATIVE_INFINITY);
  const out: string[] = [];
  for (let i = 0; i <= lines; i += 1) {
    const y = TOP_HEIGHT - ((TOP_HEIGHT - BOTTOM_HEIGHT) * (i + 0.35)) / (lines + 0.7);
    appendContourLinePath(y, yaw, pitch, horizon, out);
  }
  for (const line of FACE_LINES)
    out.push(`M${line.map(([x, y]) => projectFacePointToPathData(x, y, yaw, pitch)).join('L')}`);
  return out.join('');
}

/** A point of the drawing: to the right, and down. */
type DrawingPoint = readonly [right: number, down: number];

/** Half the distance of the eyes, the height of their middle, and half the width of an eye. */
const EYE = { x: 0.285, y: 0.02, width: 0.16 } as const;

/** How far the upper and the lower lid are from the middle of an eye, at a distance from it of -1 to 1 eye widths. */
const lidHeights = (across: number): [upper: number, lower: number] => {
  const open = 1 - across * across;
  return [0.1 * open, -0.062 * open];
};

/** Lids, irises, brows and lips, as points (x, y) on the front of the face. */
const FACE_LINES: readonly (readonly [x: number, y: number][])[] = (() => {
  const samples = (count: number) => Array.from({ length: count + 1 }, (_, i) => (2 * i) / count - 1);
  const lines: [number, number][][] = [];
  for (const side of [-1, 1]) {
    const lid = (which: 0 | 1, lift: number) =>
      samples(24).map((t): [number, number] => [
        side * (EYE.x + t * EYE.width),
        EYE.y + lidHeights(t)[which] + lift,
      ]);
    // Two lines make the upper lid heavier, as lashes do.
    lines.push(lid(0, 0), lid(0, 0.012), lid(1, 0));
    // The iris, whose top is under the lid, and the pupil.
    for (const radius of [0.066, 0.056, 0.046, 0.036, 0.026, 0.016, 0.006])
      lines.push(
        samples(28).map((t): [number, number] => [
          side * EYE.x + radius * Math.cos(t * Math.PI),
          EYE.y + 0.02 + Math.min(radius * Math.sin(t * Math.PI), 0.07),
        ]),
      );
    for (const lift of [0, 0.014, 0.028])
      lines.push(
        samples(24).map((t): [number, number] => [
          side * (EYE.x + 0.02 + t * 0.185),
          EYE.y + 0.235 + 0.05 * (1 - t * t) + lift * (0.8 - 0.5 * t) - 0.02 * t,
        ]),
      );
  }
  // The corners of the mouth are higher than its middle: a smile.
  for (const [half, y, lift] of [
    [0.25, -0.56, 2.0],
    [0.24, -0.567, 2.0],
    [0.12, -0.655, 1.6],
  ] as const)
    lines.push(samples(28).map((t): [number, number] => [t * half, y + lift * (t * half) ** 2]));
  return lines;
})();

/** Whether a point of the front is within an eye, where no contour lines are. */
function isWithinEye(x: number, y: number): boolean {
  const across = (Math.abs(x) - EYE.x) / EYE.width;
  if (Math.abs(across) >= 1) return false;
  const [upper, lower] = lidHeights(across);
  const height = y - EYE.y;
  return height < upper + 0.012 && height > lower;
}

/** Projects a point (x, y) on the front of the face onto the drawing, as coordinates of SVG path data. */
function projectFacePointToPathData(x: number, y: number, yaw: number, pitch: number): string {
  const side = Math.min(1, (Math.abs(x) / interpolateCurveAtHeight(HALF_WIDTH_CURVE, y)) ** (1 / FLATNESS));
  const front = interpolateCurveAtHeight(FRONT_DEPTH_CURVE, y);
  const z = front * Math.sqrt(1 - side * side) ** FLATNESS + facialFeatureDepth(x, y);
  const [right, down] = projectHeadPoint(x, y, z, yaw, pitch);
  return `${right.toFixed(3)} ${down.toFixed(3)}`;
}

/** Projects a point of the head, which is turned by `yaw` and bowed by `pitch` (radians). */
function projectHeadPoint(x: number, y: number, z: number, yaw: number, pitch: number): DrawingPoint {
  const right = x * Math.cos(yaw) + z * Math.sin(yaw);
  const near = z * Math.cos(yaw) - x * Math.sin(yaw);
  return [right, -y * Math.cos(pitch) + near * Math.sin(pitch)];
}

type ContourCurve = readonly (readonly [y: number, value: number])[];

const HORIZON_COLUMNS = 420;
const TOP_HEIGHT = 1.06;
const BOTTOM_HEIGHT = -1.95;
const POINTS_PER_LINE = 120;
/** Below 1, the head is broader than an ellipse. */
const FLATNESS = 0.9;

// Half-width, front depth and back depth by height, from the crown to the shoulders.
const HALF_WIDTH_CURVE: ContourCurve = [
  [1.06, 0],
  [1.03, 0.223],
  [0.95, 0.4],
  [0.8, 0.558],
  [0.55, 0.66],
  [0.25, 0.698],
  [0, 0.696],
  [-0.25, 0.665],
  [-0.5, 0.62],
  [-0.7, 0.509],
  [-0.85, 0.413],
  [-1, 0.389],
  [-1.2, 0.4],
  [-1.36, 0.486],
  [-1.5, 0.72],
  [-1.65, 1.05],
  [-1.8, 1.24],
  [-1.95, 1.33],
];
const FRONT_DEPTH_CURVE: ContourCurve = [
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
const BACK_DEPTH_CURVE: ContourCurve = [
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

/** Traces the visible part of the contour line at height `y`, and appends it to `out` as SVG path data. */
function appendContourLinePath(y: number, yaw: number, pitch: number, horizon: Float64Array, out: string[]): void {
  const width = interpolateCurveAtHeight(HALF_WIDTH_CURVE, y);
  const front = interpolateCurveAtHeight(FRONT_DEPTH_CURVE, y);
  const back = interpolateCurveAtHeight(BACK_DEPTH_CURVE, y);
  const reached: [column: number, height: number][] = [];
  let run: string[] = [];
  const flush = () => {
    if (run.length > 2) out.push(`M${run.join('L')}`);
    run = [];
  };
  for (let i = 0; i <= POINTS_PER_LINE; i += 1) {
    // Around the side that faces the viewer, from edge to edge.
    const angle = yaw - Math.PI * 0.56 + (Math.PI * 1.12 * i) / POINTS_PER_LINE;
    const turned = -angle;
    const side = Math.sin(turned);
    const ahead = Math.cos(turned);
    let x = width * Math.sign(side) * Math.abs(side) ** FLATNESS;
    let z = (ahead > 0 ? front : back) * Math.sign(ahead) * Math.abs(ahead) ** FLATNESS;
    const isFace = ahead > 0;
    if (isFace) z += facialFeatureDepth(x, y);
    const isEye = isFace && isWithinEye(x, y);
    x += earOffset(side, ahead, y);
    const [right, down] = projectHeadPoint(x, y, z, yaw, pitch);
    const column = Math.round(((right - CONTOUR_FRAME.x) / CONTOUR_FRAME.width) * (HORIZON_COLUMNS - 1));
    const visible = column >= 0 && column < HORIZON_COLUMNS && down > (horizon[column] ?? 0) - 0.004;
    if (visible && !isEye) {
      run.push(`${right.toFixed(3)} ${down.toFixed(3)}`);
      reached.push([column, down]);
    } else flush();
  }
  flush();
  let last: [number, number] | null = null;
  for (const [column, height] of reached) {
    const from: number = last && Math.abs(last[0] - column) < 12 ? last[0] : column;
    for (let c = Math.min(from, column); c <= Math.max(from, column); c += 1) {
      horizon[c] = Math.max(horizon[c] ?? Number.NEGATIVE_INFINITY, height);
    }
    last = [column, height];
  }
}

/** The depth that nose, eyes, lips and chin add to the face at a point of its front. */
function facialFeatureDepth(x: number, y: number): number {
  const away = Math.abs(x);
  const noseHeight = y > -0.26 ? gaussian((y + 0.26) / 0.27) : gaussian((y + 0.26) / 0.085);
  const nose = 0.36 * noseHeight * gaussian(x / (0.09 + 0.06 * gaussian((y + 0.26) / 0.12)));
  const brow = 0.04 * gaussian((away - 0.26) / 0.2) * gaussian((y - 0.21) / 0.1);
  const socket = -0.1 * gaussian((away - 0.29) / 0.19) * gaussian((y - 0.05) / 0.15);
  const eye = 0.08 * gaussian((away - 0.29) / 0.12) * gaussian((y - 0.03) / 0.08);
  const cheek = 0.08 * gaussian((away - 0.4) / 0.16) * gaussian((y + 0.22) / 0.14);
  // The corners of the mouth are higher than its middle: a slight smile.
  const lift = 1.4 * x * x;
  const lips =
    gaussian(x / 0.22) *
    (0.05 * gaussian((y + 0.5 - lift) / 0.06) + 0.07 * gaussian((y + 0.63 - lift) / 0.06));
  const parting = -0.03 * gaussian(x / 0.24) * gaussian((y + 0.555 - lift) / 0.02);
  const chin = 0.12 * gaussian(x / 0.2) * gaussian((y + 0.83) / 0.09);
  return nose + brow + socket + eye + cheek + lips + parting + chin;
}

/** How far the ears push a point of the contour to its side. */
function earOffset(side: number, ahead: number, y: number): number {
  return 0.1 * Math.sign(side) * gaussian((ahead + 0.12) / 0.13) * gaussian((y + 0.03) / 0.2);
}

/** A bell curve: 1 at 0, and near 0 beyond 2. */
function gaussian(t: number): number {
  return Math.exp(-t * t);
}

/** Interpolated value of a curve at height `y`. The points of the curve descend in y. */
function interpolateCurveAtHeight(curve: ContourCurve, y: number): number {
  const i = curve.findIndex(([height]) => height <= y);
  const [upper, lower] = [curve[Math.max(0, i - 1)], curve[i < 0 ? curve.length - 1 : i]];
  if (!upper || !lower) return 0;
  if (i <= 0) return lower[1];
  const t = (upper[0] - y) / (upper[0] - lower[0]);
  const eased = i === 1 ? Math.sqrt(t) : t * t * (3 - 2 * t) * 0.35 + t * 0.65;
  return upper[1] + (lower[1] - upper[1]) * eased;
}
