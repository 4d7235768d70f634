// The figure on the stage: head and shoulders as contour lines, like a 3D scan. Generated, and nobody's likeness.

/** The view box, in the drawing's units. */
export const CONTOUR_FRAME = { x: -1.5, y: -1.28, width: 3, height: 3.36 } as const;

/** The drawing as SVG path data: lines to stroke, and areas to fill (with the rule `evenodd`). */
export interface ContourDrawing {
  lines: string;
  areas: string;
}

/** Draws the visible contour lines of the head, its face, ears and hair. */
export function createContourDrawing(lines = 104, yaw = -0.22, pitch = 0.16): ContourDrawing {
  const horizon = new Float64Array(HORIZON_COLUMNS).fill(Number.NEGATIVE_INFINITY);
  const out: string[] = [];
  for (let i = 0; i <= lines; i += 1) {
    const y = TOP_HEIGHT - ((TOP_HEIGHT - BOTTOM_HEIGHT) * (i + 0.35)) / (lines + 0.7);
    appendContourLinePath(y, yaw, pitch, horizon, out);
  }
  const onFace = (line: readonly FacePoint[]) =>
    `M${line.map(([x, y]) => projectFacePointToPathData(x, y, yaw, pitch)).join('L')}`;
  out.push(...FACE_LINES.map(onFace));
  for (const points of [...hairLines(yaw, pitch), ...EAR_ARCS.map((arc) => arc(yaw, pitch))])
    out.push(`M${points.map(toPathData).join('L')}`);
  return { lines: out.join(''), areas: FACE_AREAS.map((line) => `${onFace(line)}Z`).join('') };
}

/** A point of the drawing: to the right, and down. */
type DrawingPoint = readonly [right: number, down: number];
/** A point on the front of the face, as seen from the front: to the right, and up. */
type FacePoint = readonly [x: number, y: number];

/** A point of the head, or a direction: to its left, up, and to the front. */
type HeadPoint = readonly [x: number, y: number, z: number];

const mapPoint = ([x, y, z]: HeadPoint, change: (part: number, axis: 0 | 1 | 2) => number): HeadPoint => [
  change(x, 0),
  change(y, 1),
  change(z, 2),
];

/** The direction with length 1. */
function normalized(direction: HeadPoint): HeadPoint {
  const length = Math.hypot(...direction);
  return mapPoint(direction, (part) => part / length);
}

const toPathData = ([right, down]: DrawingPoint): string => `${right.toFixed(3)} ${down.toFixed(3)}`;
/** Numbers from -1 to 1. */
const samples = (count: number) => Array.from({ length: count + 1 }, (_, i) => (2 * i) / count - 1);
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

/** Half the width of the mouth. */
const MOUTH_WIDTH = 0.21;

/** The heights of the mouth at `x`: the upper edge of the upper lip, the line between them, the lower edge. */
function lipHeights(x: number): [top: number, middle: number, bottom: number] {
  const across = Math.min(1, Math.abs(x) / MOUTH_WIDTH);
  // The corners are a little higher than the middle: a smile.
  const middle = -0.575 + 0.8 * x * x - 0.008 * gaussian(x / 0.05);
  const full = Math.sqrt(1 - across * across);
  const bow = 0.085 * (1 - across) - 0.028 * gaussian(x / 0.034);
  return [middle + bow, middle, middle - 0.07 * full * (1 - 0.25 * across)];
}

/** Lids, irises, brows and lips. */
const FACE_LINES: readonly (readonly FacePoint[])[] = (() => {
  const lines: FacePoint[][] = [];
  for (const side of [-1, 1]) {
    const lid = (which: 0 | 1, lift: number) =>
      samples(24).map(
        (t): FacePoint => [side * (EYE.x + t * EYE.width), EYE.y + lidHeights(t)[which] + lift],
      );
    // Two lines make the upper lid heavier, as lashes do, and one above is its fold.
    lines.push(lid(0, 0), lid(0, 0.011), lid(1, 0));
    lines.push(
      samples(20).map(
        (t): FacePoint => [side * (EYE.x + 0.01 + t * 0.125), EYE.y + 0.045 + 0.068 * (1 - t * t)],
      ),
    );
    // Its edges are under the lids.
    for (const radius of [IRIS.radius, 0.055])
      lines.push(
        circle(side * EYE.x, IRIS.y, radius, 28).map(([x, y]): FacePoint => [x, clampToLids(x * side, y)]),
      );
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
  for (const edge of [0, 1, 2] as const)
    lines.push(samples(32).map((t): FacePoint => [t * MOUTH_WIDTH, lipHeights(t * MOUTH_WIDTH)[edge]]));
  return lines;
})();

/** The pupils, each with a light in it. */
const FACE_AREAS: readonly (readonly FacePoint[])[] = [-1, 1].flatMap((side) => [
  circle(side * EYE.x, IRIS.y, 0.034, 24),
  // Light comes from one side.
  circle(side * EYE.x - 0.012, IRIS.y + 0.014, 0.011, 12),
]);

/** Whether a point of the front is within an eye, where no contour lines are. */
function isFacePointWithinEye(x: number, y: number): boolean {
  const across = (Math.abs(x) - EYE.x) / EYE.width;
  if (Math.abs(across) >= 1) return false;
  const [upper, lower] = lidHeights(across);
  const height = y - EYE.y;
  return height < upper + 0.012 && height > lower;
}

/** Projects a point (x, y) on the front of the face onto the drawing, as coordinates of SVG path data. */
function projectFacePointToPathData(x: number, y: number, yaw: number, pitch: number): string {
  return toPathData(projectFacePoint(x, y, yaw, pitch));
}

/** Projects a point (x, y) on the front of the face onto the drawing. */
function projectFacePoint(x: number, y: number, yaw: number, pitch: number): DrawingPoint {
  const side = Math.min(1, (Math.abs(x) / interpolateCurveAtHeight(HALF_WIDTH_CURVE, y)) ** (1 / FLATNESS));
  const front = interpolateCurveAtHeight(FRONT_DEPTH_CURVE, y);
  const z = front * Math.sqrt(1 - side * side) ** FLATNESS + facialFeatureDepth(x, y);
  return projectHeadPoint(x, y, z, yaw, pitch);
}

/** The height at which the hair ends, by the angle from the front to the side (radians). */
function hairlineHeight(angle: number): number {
  const away = Math.abs(angle);
  return interpolateCurveAtHeight(HAIRLINE_CURVE, -away);
}

/** The dome of the hair: its middle, and half its size along each axis of the head. */
const HAIR = { middle: [0, 0.3, -0.06], half: [0.685, 0.84, 0.93] } as const;
/** Where the hair parts, as a direction from the middle of the dome. */
const WHORL = normalized([-0.16, 0.86, -0.42]);
/** Bundles of hair from one side to the other, and the strands of each. */
const HAIR_BUNDLES = 14;
const STRANDS_PER_BUNDLE = 6;
/** The largest angle from the front at which a bundle ends. */
const HAIR_END_ANGLE = 1.5;

/** The visible strands of the hair, from the whorl to the hairline, and the outline of the hair. */
function hairLines(yaw: number, pitch: number): DrawingPoint[][] {
  const viewer: HeadPoint = [
    -Math.sin(yaw) * Math.cos(pitch),
    Math.sin(pitch),
    Math.cos(yaw) * Math.cos(pitch),
  ];
  const onDome = (direction: HeadPoint, size: number): HeadPoint =>
    mapPoint(direction, (part, i) => HAIR.middle[i] + HAIR.half[i] * size * part);
  const lines: DrawingPoint[][] = [];
  for (let i = 0; i < HAIR_BUNDLES * STRANDS_PER_BUNDLE; i += 1) {
    const within = (i % STRANDS_PER_BUNDLE) / (STRANDS_PER_BUNDLE - 1);
    const bundle = Math.floor(i / STRANDS_PER_BUNDLE);
    // The strands of a bundle come together at its tip.
    const spread = (width: number) => ((bundle + 0.5 + width * (within - 0.5)) / HAIR_BUNDLES) * 2 - 1;
    const angle = HAIR_END_ANGLE * spread(0.42);
    const y = hairlineHeight(angle) - 0.028 * ((bundle * 5) % 3) + 0.03 * Math.abs(within - 0.5);
    const front = Math.abs(angle) < Math.PI / 2 ? FRONT_DEPTH_CURVE : BACK_DEPTH_CURVE;
    const tip: HeadPoint = [
      (interpolateCurveAtHeight(HALF_WIDTH_CURVE, y) + 0.02) * Math.sin(angle),
      y,
      (interpolateCurveAtHeight(front, y) + 0.02) * Math.cos(angle),
    ];
    const towardsTip = mapPoint(tip, (part, k) => (part - HAIR.middle[k]) / HAIR.half[k]);
    const tipSize = Math.hypot(...towardsTip);
    const to = normalized(towardsTip);
    // Wider apart on the way, and combed to one side.
    const aside = HAIR_END_ANGLE * (spread(0.8) - spread(0.42)) + 0.14 * Math.cos(angle);
    let run: DrawingPoint[] = [];
    for (let step = 0; step <= HAIR_STEPS; step += 1) {
      const t = 0.1 + (0.9 * step) / HAIR_STEPS;
      const bow = Math.sin(Math.PI * t) * aside;
      const direction = normalized(
        mapPoint(WHORL, (part, k) => part * (1 - t) + (to[k] ?? 0) * t + (k === 0 ? bow : 0)),
      );
      const normal = mapPoint(direction, (part, k) => part / HAIR.half[k]);
      const isVisible = normal.reduce((sum, part, k) => sum + part * (viewer[k] ?? 0), 0) > 0.05;
      const [x, height, z] = onDome(direction, 1 + (tipSize - 1) * t ** 3);
      if (isVisible) run.push(projectHeadPoint(x, height, z, yaw, pitch));
      else if (run.length > 0) break;
    }
    if (run.length > 3) lines.push(run);
    run = [];
  }
  // Where the dome turns away from the viewer: a great circle of the sphere that it is in its own measures.
  const away = normalized(mapPoint(viewer, (part, k) => part / HAIR.half[k]));
  const across = normalized([away[2], 0, -away[0]]);
  const upwards: HeadPoint = [
    away[1] * across[2] - away[2] * across[1],
    away[2] * across[0] - away[0] * across[2],
    away[0] * across[1] - away[1] * across[0],
  ];
  for (const size of [1])
    lines.push(
      samples(40).map((t) => {
        const turn = Math.PI * (0.5 + 0.56 * t);
        const [x, y, z] = onDome(
          mapPoint(across, (part, k) => part * Math.cos(turn) + (upwards[k] ?? 0) * Math.sin(turn)),
          size,
        );
        return projectHeadPoint(x, y, z, yaw, pitch);
      }),
    );
  return lines;
}

/** The arcs of the ears. The one that is turned away shows only its rim. */
const EAR_ARCS: readonly ((yaw: number, pitch: number) => DrawingPoint[])[] = (() => {
  /** A point of an ear: `out` from the head, and `up` from its middle, in sizes of the ear. */
  const point =
    (side: number, out: number, up: number) =>
    (yaw: number, pitch: number): DrawingPoint =>
      projectHeadPoint(
        side * (interpolateCurveAtHeight(HALF_WIDTH_CURVE, EAR.y) - 0.02 + EAR.width * out),
        EAR.y + EAR.height * up,
        EAR.z - 0.1 * out,
        yaw,
        pitch,
      );
  const arc =
    (side: number, points: readonly FacePoint[]) =>
    (yaw: number, pitch: number): DrawingPoint[] =>
      points.map(([out, up]) => point(side, out, up)(yaw, pitch));
  // From the top, where it leaves the head, around to the lobe.
  const rim = samples(26).map((t): FacePoint => {
    const turn = Math.PI * (0.5 - 0.5 * (t + 1) * 0.98);
    const up = Math.sin(turn);
    return [Math.cos(turn) ** 0.7 * (0.72 + 0.28 * up), up > 0 ? up : up * 0.98];
  });
  const fold = samples(18).map((t): FacePoint => {
    const turn = Math.PI * (0.42 - 0.41 * (t + 1));
    return [0.68 * Math.cos(turn) ** 0.8 * (0.78 + 0.22 * Math.sin(turn)), 0.72 * Math.sin(turn) + 0.06];
  });
  const hollow = samples(12).map((t): FacePoint => [0.16 + 0.24 * (1 - t * t), 0.3 * t - 0.12]);
  return [
    arc(1, rim),
    arc(1, fold),
    arc(1, hollow),
    arc(
      -1,
      rim.filter(([out]) => out > 0.62),
    ),
  ];
})();

/** Projects a point of the head, which is turned by `yaw` and bowed by `pitch` (radians). */
function projectHeadPoint(x: number, y: number, z: number, yaw: number, pitch: number): DrawingPoint {
  const right = x * Math.cos(yaw) + z * Math.sin(yaw);
  const near = z * Math.cos(yaw) - x * Math.sin(yaw);
  return [right, -y * Math.cos(pitch) + near * Math.sin(pitch)];
}

/** The middle of the ears, and the size of one. */
const EAR = { y: -0.07, z: -0.1, width: 0.15, height: 0.225 } as const;

type ContourCurve = readonly (readonly [y: number, value: number])[];

const HAIR_STEPS = 20;
const HORIZON_COLUMNS = 420;
const TOP_HEIGHT = 1.06;
const BOTTOM_HEIGHT = -1.95;
const POINTS_PER_LINE = 120;
/** Below 1, the head is broader than an ellipse. */
const FLATNESS = 0.9;

// Half-width, front depth and back depth by height, from the crown to the shoulders.
const HALF_WIDTH_CURVE: ContourCurve = [
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

/** The height of the hairline, by the negative angle from the front. */
const HAIRLINE_CURVE: ContourCurve = [
  [0, 0.64],
  [-0.5, 0.6],
  [-0.85, 0.44],
  [-1.05, 0.2],
  [-1.3, 0.02],
  [-1.5, 0.06],
  [-1.75, -0.3],
  [-2.4, -0.5],
];

/** Traces the visible part of the contour line at height `y`, and appends it to `out` as SVG path data. */
function appendContourLinePath(
  y: number,
  yaw: number,
  pitch: number,
  horizon: Float64Array,
  out: string[],
): void {
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
    const x = width * Math.sign(side) * Math.abs(side) ** FLATNESS;
    let z = (ahead > 0 ? front : back) * Math.sign(ahead) * Math.abs(ahead) ** FLATNESS;
    const isFace = ahead > 0;
    if (isFace) z += facialFeatureDepth(x, y);
    const isLeftOut = (isFace && isFacePointWithinEye(x, y)) || isUnderHair(turned, y);
    const [right, down] = projectHeadPoint(x, y, z, yaw, pitch);
    const column = Math.round(((right - CONTOUR_FRAME.x) / CONTOUR_FRAME.width) * (HORIZON_COLUMNS - 1));
    const visible = column >= 0 && column < HORIZON_COLUMNS && down > (horizon[column] ?? 0) - 0.004;
    if (visible && !isLeftOut) {
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
  const lift = 0.7 * x * x;
  const lips =
    gaussian(x / 0.22) *
    (0.05 * gaussian((y + 0.5 - lift) / 0.06) + 0.07 * gaussian((y + 0.63 - lift) / 0.06));
  const parting = -0.03 * gaussian(x / 0.24) * gaussian((y + 0.555 - lift) / 0.02);
  const chin = 0.12 * gaussian(x / 0.2) * gaussian((y + 0.83) / 0.09);
  return nose + brow + socket + eye + cheek + lips + parting + chin;
}

/** Whether hair covers the head at a height, at an angle from its front. */
function isUnderHair(angle: number, y: number): boolean {
  return y > hairlineHeight(angle) - 0.045 * Math.cos(angle);
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

/** Where the middle of the eyes is in the drawing, and the distance of the eyes, as the figure is turned on the stage. */
export const CONTOUR_EYES = (() => {
  const [left, right] = [-1, 1].map((side) => projectFacePoint(side * EYE.x, EYE.y, -0.22, 0.16));
  if (!left || !right) throw new Error('a face has two eyes');
  return {
    x: (left[0] + right[0]) / 2,
    y: (left[1] + right[1]) / 2,
    distance: Math.hypot(right[0] - left[0], right[1] - left[1]),
  };
})();
