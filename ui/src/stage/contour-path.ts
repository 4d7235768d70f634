// The figure on the stage: head and shoulders as contour lines, like a 3D scan. Generated, and nobody's likeness.
import { createContourEars } from './contour-ear';
import { type ContourHair, createContourHair } from './contour-hair';
import {
  BACK_DEPTH_CURVE,
  type DrawingPoint,
  type FacePoint,
  FLATNESS,
  FRONT_DEPTH_CURVE,
  HALF_WIDTH_CURVE,
  type HeadPose,
  interpolateCurveAtHeight,
  projectHeadPoint,
  STAGE_POSE,
  samples,
} from './contour-head';

/** The view box, in the drawing's units. */
export const CONTOUR_FRAME = { x: -1.5, y: -1.28, width: 3, height: 3.36 } as const;

/** The drawing as SVG path data: lines to stroke, and areas to fill (with the rule `evenodd`). */
export interface ContourDrawing {
  lines: string;
  areas: string;
}

/** Draws the visible contour lines of the head, its face, ears and hair. */
export function createContourDrawing(lines = 104, pose = STAGE_POSE): ContourDrawing {
  const { contours, face, hair, ears } = createContourStrokes(lines, pose);
  const toArea = (line: readonly FacePoint[]) =>
    `${toPath(line.map(([x, y]) => projectFacePoint(x, y, pose)))}Z`;
  return {
    lines: [...contours, ...face, ...hair, ...ears].map(toPath).join(''),
    areas: FACE_AREAS.map(toArea).join(''),
  };
}

/** The strokes of the drawing, by what they show. */
export interface ContourStrokes {
  /** The contour lines of head and shoulders. */
  contours: DrawingPoint[][];
  face: DrawingPoint[][];
  hair: DrawingPoint[][];
  ears: DrawingPoint[][];
}

/** Computes the visible strokes of the drawing. */
export function createContourStrokes(lines = 104, pose = STAGE_POSE): ContourStrokes {
  const horizon = new Float64Array(HORIZON_COLUMNS).fill(Number.NEGATIVE_INFINITY);
  const hair = createContourHair(pose);
  const contours = Array.from({ length: lines + 1 }, (_, i) => {
    const y = TOP_HEIGHT - ((TOP_HEIGHT - BOTTOM_HEIGHT) * (i + 0.35)) / (lines + 0.7);
    return traceContourLine(y, pose, horizon, hair);
  });
  return {
    contours: contours.flat(),
    face: FACE_LINES.map((line) => line.map(([x, y]) => projectFacePoint(x, y, pose))),
    hair: hair.lines,
    ears: createContourEars(pose),
  };
}

const toPath = (points: readonly DrawingPoint[]): string => `M${points.map(toPathData).join('L')}`;
const toPathData = ([right, down]: DrawingPoint): string => `${right.toFixed(3)} ${down.toFixed(3)}`;
const circle = (x: number, y: number, radius: number, count: number): FacePoint[] =>
  samples(count).map((t) => [x + radius * Math.cos(t * Math.PI), y + radius * Math.sin(t * Math.PI)]);

/** Half the distance of the eyes, the height of their middle, and half the width of an eye. */
const EYE = { x: 0.272, y: 0.02, width: 0.15 } as const;
const IRIS = { y: 0.024, radius: 0.064 } as const;

/** How far the upper and the lower lid are from the middle of an eye, at a distance from it of -1 to 1 eye widths. */
function lidHeights(across: number): [upper: number, lower: number] {
  const open = 1 - across * across;
  return [0.074 * open, -0.052 * open];
}

/** The height `y`, or that of the nearer lid where it is under one, at `x` of the right eye. */
function clampToLids(x: number, y: number): number {
  const [upper, lower] = lidHeights((x - EYE.x) / EYE.width);
  return Math.min(EYE.y + upper, Math.max(EYE.y + lower, y));
}

/** The edge of an iris, which is under the lids. */
function irisEdgeUnderLids(side: number): FacePoint[] {
  return circle(side * EYE.x, IRIS.y, IRIS.radius, 28).map(
    ([x, y]): FacePoint => [x, clampToLids(x * side, y)],
  );
}

/** Half the width of the mouth. */
const MOUTH_WIDTH = 0.21;

/** The heights of the mouth at `x`: the upper edge of the upper lip, the line between them, the lower edge. */
function lipHeights(x: number): [top: number, middle: number, bottom: number] {
  const across = Math.min(1, Math.abs(x) / MOUTH_WIDTH);
  // The corners are a little higher than the middle: a smile.
  const middle = -0.58 + 1.25 * x * x;
  const full = Math.sqrt(1 - across * across);
  const bow = 0.05 * full * (1 - 0.3 * across) - 0.012 * gaussian(x / 0.05);
  return [middle + bow, middle, middle - 0.075 * full];
}

/** Lids, irises, brows and lips. */
const FACE_LINES: readonly (readonly FacePoint[])[] = (() => {
  const lines: FacePoint[][] = [];
  for (const side of [-1, 1]) {
    const lid = (which: 0 | 1, lift: number) =>
      samples(24).map(
        (t): FacePoint => [side * (EYE.x + t * EYE.width), EYE.y + lidHeights(t)[which] + lift],
      );
    // Two lines make the upper lid heavier, as lashes do.
    lines.push(lid(0, 0), lid(0, 0.011), lid(1, 0), irisEdgeUnderLids(side));
    for (const lift of [0, 0.011, 0.022, 0.033])
      lines.push(
        samples(24).map(
          (t): FacePoint => [
            side * (EYE.x + 0.02 + t * 0.17),
            EYE.y +
              0.225 +
              0.04 * (1 - t * t) +
              lift * (0.8 - 0.5 * t) * (1 - 0.7 * Math.max(0, -t) ** 5) -
              0.022 * t,
          ],
        ),
      );
  }
  // The lower lip has an edge only in its middle: closed outlines would make a mask of the mouth.
  for (const [edge, share] of [
    [0, 0.86],
    [1, 1],
    [2, 0.6],
  ] as const)
    lines.push(
      samples(32).map((t): FacePoint => [t * share * MOUTH_WIDTH, lipHeights(t * share * MOUTH_WIDTH)[edge]]),
    );
  return lines;
})();

/** The whites of the eyes around dark irises, each with a light in it. */
const FACE_AREAS: readonly (readonly FacePoint[])[] = [-1, 1].flatMap((side) => [
  ([0, 1] as const).flatMap((which) =>
    samples(24).map((t): FacePoint => {
      const across = which === 0 ? t : -t;
      return [side * (EYE.x + across * EYE.width), EYE.y + lidHeights(across)[which]];
    }),
  ),
  irisEdgeUnderLids(side),
  // Light comes from one side.
  circle(side * EYE.x - 0.02, IRIS.y + 0.02, 0.017, 16),
]);

/** Whether a point of the front is within an eye, where no contour lines are. */
function isFacePointWithinEye(x: number, y: number): boolean {
  const across = (Math.abs(x) - EYE.x) / EYE.width;
  if (Math.abs(across) >= 1) return false;
  const [upper, lower] = lidHeights(across);
  const height = y - EYE.y;
  return height < upper + 0.012 && height > lower;
}

/** Whether a point of the front is on the lips, where no contour lines are. */
function isFacePointOnLips(x: number, y: number): boolean {
  if (Math.abs(x) >= MOUTH_WIDTH) return false;
  const [top, , bottom] = lipHeights(x);
  return y < top && y > bottom;
}

/** Whether a point of the front is on the throat, where the chin throws a shade: no contour lines are there. */
function isPointInShadeOfChin(x: number, y: number): boolean {
  return y < -0.96 && (x / 0.27) ** 2 + ((y + 0.96) / 0.16) ** 2 < 1;
}

/** Projects a point (x, y) on the front of the face onto the drawing. */
function projectFacePoint(x: number, y: number, pose: HeadPose): DrawingPoint {
  const side = Math.min(1, (Math.abs(x) / interpolateCurveAtHeight(HALF_WIDTH_CURVE, y)) ** (1 / FLATNESS));
  const front = interpolateCurveAtHeight(FRONT_DEPTH_CURVE, y);
  const z = front * Math.sqrt(1 - side * side) ** FLATNESS + facialFeatureDepth(x, y);
  return projectHeadPoint(x, y, z, pose);
}

const HORIZON_COLUMNS = 420;
const TOP_HEIGHT = 1.06;
const BOTTOM_HEIGHT = -1.95;
const POINTS_PER_LINE = 120;
/** Below this height, on neck and shoulders, lines end where they become steeper than this, up by across. */
const SHOULDER_HEIGHT = -0.97;
const STEEPEST_END = 0.5;
/** Halvings by which the end of a line at hair, eyes and lips is found: to a thousandth of the head. */
const EDGE_STEPS = 5;

/** The visible parts of the contour line at height `y`. It is added to the horizon, which hides what is behind it. */
function traceContourLine(
  y: number,
  pose: HeadPose,
  horizon: Float64Array,
  hair: ContourHair,
): DrawingPoint[][] {
  const width = interpolateCurveAtHeight(HALF_WIDTH_CURVE, y);
  const front = interpolateCurveAtHeight(FRONT_DEPTH_CURVE, y);
  const back = interpolateCurveAtHeight(BACK_DEPTH_CURVE, y);
  /** The point at an angle around the head, and whether eyes, lips or hair cover it. */
  const pointAt = (angle: number) => {
    const [side, ahead] = [Math.sin(-angle), Math.cos(-angle)];
    const x = width * Math.sign(side) * Math.abs(side) ** FLATNESS;
    let z = (ahead > 0 ? front : back) * Math.sign(ahead) * Math.abs(ahead) ** FLATNESS;
    const isFace = ahead > 0;
    if (isFace) z += facialFeatureDepth(x, y);
    const place = projectHeadPoint(x, y, z, pose);
    const isCovered =
      (isFace && (isFacePointWithinEye(x, y) || isFacePointOnLips(x, y) || isPointInShadeOfChin(x, y))) ||
      hair.covers(-angle, y, place);
    return { angle, place, isCovered };
  };
  // Around the side that faces the viewer.
  const points = Array.from({ length: POINTS_PER_LINE + 1 }, (_, i) =>
    pointAt(pose.yaw - Math.PI * 0.56 + (Math.PI * 1.12 * i) / POINTS_PER_LINE),
  );
  // Where a line turns back at its ends, it would end in hooks.
  const isFlat = (i: number) => {
    const [a, b] = [points[i]?.place, points[i + 1]?.place];
    return a !== undefined && b !== undefined && Math.abs(b[1] - a[1]) < STEEPEST_END * Math.abs(b[0] - a[0]);
  };
  const rights = points.map(({ place: [right] }) => right);
  const outermost = [rights.indexOf(Math.max(...rights)), rights.indexOf(Math.min(...rights))];
  let [first, end] = [Math.min(...outermost), Math.max(...outermost)];
  if (y < SHOULDER_HEIGHT) {
    while (first < end && !isFlat(first)) first += 1;
    while (end > first && !isFlat(end - 1)) end -= 1;
  }
  const strokes: DrawingPoint[][] = [];
  const reached: [column: number, height: number][] = [];
  let stroke: DrawingPoint[] = [];
  const finishStroke = () => {
    if (stroke.length > 2) strokes.push(stroke);
    stroke = [];
  };
  let before: ReturnType<typeof pointAt> | null = null;
  for (const point of points.slice(first, end + 1)) {
    const [right, down] = point.place;
    const column = Math.round(((right - CONTOUR_FRAME.x) / CONTOUR_FRAME.width) * (HORIZON_COLUMNS - 1));
    const isVisible = column >= 0 && column < HORIZON_COLUMNS && down > (horizon[column] ?? 0) - 0.004;
    if (before && before.isCovered !== point.isCovered) {
      // The line ends at the edge of what covers it, between two points.
      let [shown, covered] = before.isCovered ? [point, before] : [before, point];
      for (let step = 0; step < EDGE_STEPS; step += 1) {
        const middle = pointAt((shown.angle + covered.angle) / 2);
        if (middle.isCovered) covered = middle;
        else shown = middle;
      }
      if (isVisible && (point.isCovered ? stroke.length > 0 : stroke.length === 0)) stroke.push(shown.place);
    }
    if (isVisible && !point.isCovered) {
      stroke.push(point.place);
      reached.push([column, down]);
    } else finishStroke();
    before = point;
  }
  finishStroke();
  let last: [number, number] | null = null;
  for (const [column, height] of reached) {
    const from: number = last && Math.abs(last[0] - column) < 12 ? last[0] : column;
    for (let c = Math.min(from, column); c <= Math.max(from, column); c += 1) {
      horizon[c] = Math.max(horizon[c] ?? Number.NEGATIVE_INFINITY, height);
    }
    last = [column, height];
  }
  return strokes;
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
  const lift = 1.1 * x * x;
  const lips =
    gaussian(x / 0.22) *
    (0.05 * gaussian((y + 0.5 - lift) / 0.06) + 0.07 * gaussian((y + 0.63 - lift) / 0.06));
  const parting = -0.03 * gaussian(x / 0.24) * gaussian((y + 0.555 - lift) / 0.02);
  const chin = 0.12 * gaussian(x / 0.2) * gaussian((y + 0.83) / 0.09);
  return nose + brow + socket + eye + cheek + lips + parting + chin;
}

/** A bell curve: 1 at 0, and near 0 beyond 2. */
function gaussian(t: number): number {
  return Math.exp(-t * t);
}

/** Where the middle of the eyes is in the drawing, and the distance of the eyes, as the figure is turned on the stage. */
export const CONTOUR_EYES = (() => {
  const [left, right] = [-1, 1].map((side) => projectFacePoint(side * EYE.x, EYE.y, STAGE_POSE));
  if (!left || !right) throw new Error('a face has two eyes');
  return {
    x: (left[0] + right[0]) / 2,
    y: (left[1] + right[1]) / 2,
    distance: Math.hypot(right[0] - left[0], right[1] - left[1]),
  };
})();
