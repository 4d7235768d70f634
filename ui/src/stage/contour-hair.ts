// The hair of the figure of contour lines: bundles of strands from the whorl to the hairline.
import {
  BACK_DEPTH_CURVE,
  type ContourCurve,
  type DrawingPoint,
  FRONT_DEPTH_CURVE,
  HALF_WIDTH_CURVE,
  type HeadPoint,
  type HeadPose,
  interpolateCurveAtHeight,
  mapPoint,
  normalized,
  projectHeadPoint,
  samples,
} from './contour-head';

/** The drawn hair. */
export interface ContourHair {
  /** The visible strands, and the outline of the hair, which ends at the ears. */
  lines: DrawingPoint[][];
  /** Whether hair covers a point of the head: at a height, at an angle from the front, and where it is drawn. */
  covers(angle: number, y: number, place: DrawingPoint): boolean;
}

/** The height of the hairline, by the negative angle from the front. At the sides it ends above the ears. */
const HAIRLINE_CURVE: ContourCurve = [
  [0, 0.64],
  [-0.5, 0.6],
  [-0.85, 0.44],
  [-1.05, 0.26],
  [-1.3, 0.17],
  [-1.5, 0.18],
  [-1.75, -0.3],
  [-2.4, -0.5],
];

/** How far the forehead is seen above the hairline, between the tips of the bundles; less at the sides. */
const GAP_HEIGHT = 0.2;

/** The dome of the hair: its middle, and half its size along each axis of the head. */
const HAIR = { middle: [0, 0.3, -0.06], half: [0.685, 0.84, 0.93] } as const;
/** Where the hair parts, as a direction from the middle of the dome. */
const WHORL = normalized([-0.16, 0.86, -0.42]);
/** Bundles of hair from one side to the other, and the strands of each. */
const HAIR_BUNDLES = 18;
const STRANDS_PER_BUNDLE = 6;
/** The largest angle from the front at which a bundle ends. */
const HAIR_END_ANGLE = 2;
/** The lowest tips of the hair at the sides. */
const ABOVE_EARS = 0.17;
const HAIR_STEPS = 20;
/** The angles at which the outline ends on the rims of the ears, in the turned dome: on the right, and on the left. */
const OUTLINE_ENDS = [-0.068, 1.02] as const;

/** Draws the hair of a head in a pose. */
export function createContourHair(pose: HeadPose): ContourHair {
  const viewer: HeadPoint = [
    -Math.sin(pose.yaw) * Math.cos(pose.pitch),
    Math.sin(pose.pitch),
    Math.cos(pose.yaw) * Math.cos(pose.pitch),
  ];
  const bundles = Array.from({ length: HAIR_BUNDLES }, (_, bundle) =>
    Array.from({ length: STRANDS_PER_BUNDLE }, (_, i) =>
      createStrand(bundle, i / (STRANDS_PER_BUNDLE - 1), viewer, pose),
    ).filter((strand) => strand.length > 3),
  );
  // A bundle covers what is between its first strand and its last one.
  const areas = bundles.flatMap((strands) => {
    const [first, last] = [strands[0], strands.at(-1)];
    return first && last && first !== last ? [[...first, ...last.toReversed()]] : [];
  });
  return {
    lines: [...bundles.flat(), createOutline(viewer, pose)],
    covers(angle, y, place) {
      const away = Math.abs(angle);
      const above = y - interpolateCurveAtHeight(HAIRLINE_CURVE, -away) - 0.015;
      // The tips of the bundles are a little below the hairline.
      if (above < -0.1) return false;
      if (above > GAP_HEIGHT * Math.min(1, Math.max(0, (1.5 - away) / 0.3))) return true;
      return areas.some((area) => isInside(area, place));
    },
  };
}

/** The visible part of a strand from the whorl to its tip. `within`: 0 to 1 from one side of its bundle to the other. */
function createStrand(bundle: number, within: number, viewer: HeadPoint, pose: HeadPose): DrawingPoint[] {
  // The strands of a bundle come together at its tip.
  const spread = (width: number) => ((bundle + 0.5 + width * (within - 0.5)) / HAIR_BUNDLES) * 2 - 1;
  const angle = HAIR_END_ANGLE * spread(0.44);
  const y =
    Math.max(ABOVE_EARS, interpolateCurveAtHeight(HAIRLINE_CURVE, -Math.abs(angle))) -
    0.045 * ((bundle * 5) % 4) * Math.max(0, Math.cos(angle)) +
    0.16 * Math.abs(within - 0.5);
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
  const aside = HAIR_END_ANGLE * (spread(0.82) - spread(0.44)) + 0.14 * Math.cos(angle);
  const strand: DrawingPoint[] = [];
  for (let step = 0; step <= HAIR_STEPS; step += 1) {
    const t = 0.1 + (0.9 * step) / HAIR_STEPS;
    const bow = Math.sin(Math.PI * t) * aside;
    const direction = normalized(
      mapPoint(WHORL, (part, k) => part * (1 - t) + (to[k] ?? 0) * t + (k === 0 ? bow : 0)),
    );
    const normal = mapPoint(direction, (part, k) => part / HAIR.half[k]);
    const isVisible = normal.reduce((sum, part, k) => sum + part * (viewer[k] ?? 0), 0) > 0.05;
    if (isVisible) strand.push(projectHeadPoint(...pointOnDome(direction, 1 + (tipSize - 1) * t ** 3), pose));
    else if (strand.length > 0) break;
  }
  return strand;
}

/** Where the dome turns away from the viewer: a great circle of the sphere that it is in its own measures. */
function createOutline(viewer: HeadPoint, pose: HeadPose): DrawingPoint[] {
  const away = normalized(mapPoint(viewer, (part, k) => part / HAIR.half[k]));
  const across = normalized([away[2], 0, -away[0]]);
  const upwards: HeadPoint = [
    away[1] * across[2] - away[2] * across[1],
    away[2] * across[0] - away[0] * across[2],
    away[0] * across[1] - away[1] * across[0],
  ];
  const [right, left] = OUTLINE_ENDS;
  return samples(40).map((t) => {
    const turn = Math.PI * (right + ((left - right) * (t + 1)) / 2);
    const direction = mapPoint(
      across,
      (part, k) => part * Math.cos(turn) + (upwards[k] ?? 0) * Math.sin(turn),
    );
    return projectHeadPoint(...pointOnDome(direction, 1), pose);
  });
}

/** The point of the dome in a direction from its middle; `size` is 1 on its surface. */
function pointOnDome(direction: HeadPoint, size: number): HeadPoint {
  return mapPoint(direction, (part, i) => HAIR.middle[i] + HAIR.half[i] * size * part);
}

/** Whether a point is inside a closed area. */
function isInside(area: readonly DrawingPoint[], [right, down]: DrawingPoint): boolean {
  let inside = false;
  let before = area.at(-1);
  for (const corner of area) {
    if (before && corner[1] > down !== before[1] > down) {
      const share = (down - corner[1]) / (before[1] - corner[1]);
      if (right < corner[0] + share * (before[0] - corner[0])) inside = !inside;
    }
    before = corner;
  }
  return inside;
}
