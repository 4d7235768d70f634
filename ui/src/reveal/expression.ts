// Facial animation: blinks and smiles at rest, and faces on request. Maps a time to weights of blendshapes with ARKit
// names.

/** The expression of an idle avatar: weights of blink, smile and raised brows, 0 to 1. */
export interface FacialExpression {
  blink: number;
  smile: number;
  brows: number;
}

/** Where the eyes look, in radians from straight ahead: to the avatar's left, and up. */
export interface GazeDirection {
  x: number;
  y: number;
}

/** Faces that can be requested. */
export const FACES = ['smile', 'wink', 'surprise', 'kiss', 'frown'] as const;

/** One of these faces. */
export type Face = (typeof FACES)[number];

/**
 * The weight of each blendshape in a face. Those with weight 1 are required: without them the face is not offered.
 */
const FACE_BLENDSHAPES: Record<Face, Record<string, number>> = {
  smile: {
    ...sameWeightLeftAndRight('mouthSmile', 1),
    ...sameWeightLeftAndRight('cheekSquint', 0.7),
    ...sameWeightLeftAndRight('eyeSquint', 0.45),
    ...sameWeightLeftAndRight('mouthDimple', 0.2),
  },
  wink: { eyeBlinkLeft: 1, mouthSmileLeft: 1, cheekSquintLeft: 0.7, mouthSmileRight: 0.35 },
  surprise: {
    jawOpen: 1,
    browInnerUp: 0.9,
    ...sameWeightLeftAndRight('browOuterUp', 0.85),
    ...sameWeightLeftAndRight('eyeWide', 0.9),
    mouthFunnel: 0.25,
  },
  kiss: { mouthPucker: 1, mouthFunnel: 0.2, ...sameWeightLeftAndRight('eyeSquint', 0.3) },
  frown: {
    ...sameWeightLeftAndRight('mouthFrown', 1),
    ...sameWeightLeftAndRight('browDown', 0.85),
    mouthShrugLower: 0.4,
  },
};
/** A surprised mouth is open, but not as for a yawn, and the corners of a smile do not make a V. */
const MAX_WEIGHTS: Record<string, number> = { jawOpen: 0.42, ...sameWeightLeftAndRight('mouthSmile', 0.7) };

/** Every blendshape that is ever animated. Others need not be loaded. */
export const ANIMATED_BLENDSHAPES: ReadonlySet<string> = new Set(
  [
    sameWeightLeftAndRight('eyeBlink', 1),
    sameWeightLeftAndRight('mouthSmile', 1),
    sameWeightLeftAndRight('eyeLookIn', 1),
    sameWeightLeftAndRight('eyeLookOut', 1),
    sameWeightLeftAndRight('eyeLookUp', 1),
    sameWeightLeftAndRight('eyeLookDown', 1),
    ...Object.values(FACE_BLENDSHAPES),
  ].flatMap(Object.keys),
);

/** The faces that a model with these blendshapes supports. */
export function supportedFaces(shapes: ReadonlySet<string>): Face[] {
  return FACES.filter((face) =>
    Object.entries(FACE_BLENDSHAPES[face]).every(([shape, weight]) => weight < 1 || shapes.has(shape)),
  );
}

const FACE_RISE_SECONDS = 0.32;
const FACE_HOLD_SECONDS = 2.2;
const FACE_FALL_SECONDS = 0.7;

/** A face, `since` seconds after it was requested. */
export interface RequestedFace {
  face: Face;
  since: number;
}

/** The weight of each animated blendshape at `seconds` after the avatar appeared, with the requested face. */
export function blendshapeWeightsAt(
  seconds: number,
  asked: RequestedFace | null,
  still = false,
  gaze: GazeDirection = { x: 0, y: 0 },
): Map<string, number> {
  const rest = still ? RESTING_EXPRESSION : idleExpressionAt(seconds);
  const made = asked ? (still ? 1 : requestedFaceStrengthAt(asked.since)) : 0;
  const weights = new Map<string, number>();
  // A requested face replaces the idle expression.
  const blink = rest.blink * (1 - made);
  const smile = rest.smile * (1 - made);
  for (const [shape, weight] of Object.entries({
    ...sameWeightLeftAndRight('eyeBlink', blink),
    ...sameWeightLeftAndRight('mouthSmile', smile),
    ...sameWeightLeftAndRight('cheekSquint', smile * 0.5),
    // Both ends of the brows: raised at their inner ends alone, they plead.
    browInnerUp: rest.brows * (1 - made),
    ...sameWeightLeftAndRight('browOuterUp', rest.brows * 0.9 * (1 - made)),
    ...gazeWeights(gaze),
  }))
    weights.set(shape, weight);
  if (!asked) return weights;
  for (const [shape, weight] of Object.entries(FACE_BLENDSHAPES[asked.face]))
    weights.set(shape, (weights.get(shape) ?? 0) + Math.min(weight, MAX_WEIGHTS[shape] ?? 1) * made);
  return weights;
}

/** Whether the face that a visitor requested has risen, held and fallen again. */
export function isRequestedFaceOver({ since }: RequestedFace): boolean {
  return since > FACE_RISE_SECONDS + FACE_HOLD_SECONDS + FACE_FALL_SECONDS;
}

/** How far a requested face is made, 0 to 1, `since` seconds after the request. It rises, holds and falls. */
function requestedFaceStrengthAt(since: number): number {
  return (
    smoothstep(since / FACE_RISE_SECONDS) *
    (1 - smoothstep((since - FACE_RISE_SECONDS - FACE_HOLD_SECONDS) / FACE_FALL_SECONDS))
  );
}

/** The same weight for the left and the right form of a blendshape. */
function sameWeightLeftAndRight(shape: string, weight: number): Record<string, number> {
  return { [`${shape}Left`]: weight, [`${shape}Right`]: weight };
}

/** The face at rest, without motion. */
export const RESTING_EXPRESSION: FacialExpression = { blink: 0, smile: 0.3, brows: 0.12 };

const BLINK_SECONDS = 0.22;
const SMILE_INTERVAL_SECONDS = 9;
/** The weight of an idle smile at its peak. */
const SMILE_PEAK = 0.65;

/** The idle expression at `seconds` after the avatar appeared. */
export function idleExpressionAt(seconds: number): FacialExpression {
  return {
    blink: Math.max(blinkWeightAt(seconds), greetingBlinkWeightAt(seconds)),
    smile: smileWeightAt(seconds),
    brows: browWeightAt(seconds),
  };
}

/**
 * The weight of the brows at `seconds` after the avatar appeared. It raises them once in the beginning, when
 * it notices the viewer.
 */
function browWeightAt(seconds: number): number {
  const raised = smoothstep((seconds - 0.2) / 0.25) * (1 - smoothstep((seconds - 0.9) / 0.7));
  return RESTING_EXPRESSION.brows + 0.3 * raised;
}

const GREETING_BLINK_AT_SECONDS = 0.55;

/** The weight of the one blink, 0 to 1, with which the avatar greets the viewer soon after it appeared. */
function greetingBlinkWeightAt(seconds: number): number {
  const into = (seconds - GREETING_BLINK_AT_SECONDS) / BLINK_SECONDS;
  return into > 0 && into < 1 ? Math.sin(into * Math.PI) ** 0.7 : 0;
}

/** Short looks aside and back: how long each lasts, and where it goes. */
const GAZE_SHIFTS: readonly { seconds: number; x: number; y: number }[] = [
  { seconds: 2.4, x: 0, y: 0 },
  { seconds: 0.3, x: 0.07, y: 0.02 },
  { seconds: 3.1, x: 0, y: 0 },
  { seconds: 0.24, x: -0.08, y: 0.01 },
  { seconds: 2.2, x: 0, y: 0 },
  { seconds: 0.34, x: 0.04, y: -0.05 },
];
const GAZE_ROUND_SECONDS = GAZE_SHIFTS.reduce((sum, { seconds }) => sum + seconds, 0);
/** Largest angle, in radians, by which the eyes turn towards the viewer. */
const MAX_GAZE_RADIANS = 1;

/** Where the eyes look, so that an avatar turned by `yaw` and `pitch` sees the viewer. Eyes are never quite at rest. */
export function gazeTowardsViewer(yaw: number, pitch: number, seconds: number, still = false): GazeDirection {
  const turned = yaw - Math.round(yaw / (2 * Math.PI)) * 2 * Math.PI;
  const attention = 1 - smoothstep((Math.abs(turned) - MAX_GAZE_RADIANS) / 0.4);
  const shift = still ? { x: 0, y: 0 } : gazeShiftAt(seconds);
  return { x: -turned * attention + shift.x, y: pitch * attention + shift.y };
}

/** The short look aside at `seconds`, in radians from where the eyes look otherwise. */
function gazeShiftAt(seconds: number): GazeDirection {
  let t = seconds % GAZE_ROUND_SECONDS;
  for (const shift of GAZE_SHIFTS) {
    if (t < shift.seconds) return shift;
    t -= shift.seconds;
  }
  return { x: 0, y: 0 };
}

/** The weights with which eyes look in a direction. */
function gazeWeights({ x, y }: GazeDirection): Record<string, number> {
  const part = (radians: number, whole: number) => Math.min(0.8, Math.max(0, radians / whole));
  return {
    eyeLookOutLeft: part(x, 0.6),
    eyeLookInRight: part(x, 0.6),
    eyeLookInLeft: part(-x, 0.6),
    eyeLookOutRight: part(-x, 0.6),
    ...sameWeightLeftAndRight('eyeLookUp', part(y, 0.5)),
    ...sameWeightLeftAndRight('eyeLookDown', part(-y, 0.5)),
  };
}

/**
 * The weight of the blink at a time, 0 to 1. Blinks are irregular: the gaps come from a short list whose sum is no
 * multiple of the smile's interval.
 */
function blinkWeightAt(seconds: number): number {
  const gaps = [2.6, 4.1, 0.42, 3.3, 5.2];
  const round = gaps.reduce((sum, gap) => sum + gap, 0);
  let t = seconds % round;
  for (const gap of gaps) {
    if (t < gap) {
      const into = t - (gap - BLINK_SECONDS);
      return into < 0 ? 0 : Math.sin((into / BLINK_SECONDS) * Math.PI) ** 0.7;
    }
    t -= gap;
  }
  return 0;
}

/** The weight of the smile at `seconds` after the avatar appeared: it smiles soon, then at intervals. */
function smileWeightAt(seconds: number): number {
  const t = (seconds + SMILE_INTERVAL_SECONDS - 0.6) % SMILE_INTERVAL_SECONDS;
  const rise = smoothstep(t / 0.9);
  const fall = smoothstep((t - 3.4) / 1.4);
  return RESTING_EXPRESSION.smile + (SMILE_PEAK - RESTING_EXPRESSION.smile) * rise * (1 - fall);
}

/** A smooth step: 0 up to `t` = 0, 1 from `t` = 1, without a corner. */
export function smoothstep(t: number): number {
  const x = Math.min(1, Math.max(0, t));
  return x * x * (3 - 2 * x);
}
