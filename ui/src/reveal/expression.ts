// Facial animation: blinks and smiles at rest, and faces on request. Maps a time to weights of blendshapes with ARKit
// names.

/** The expression of an idle avatar: weights of blink and smile, 0 to 1. */
export interface FacialExpression {
  blink: number;
  smile: number;
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
    ...leftAndRightWeights('mouthSmile', 1),
    ...leftAndRightWeights('cheekSquint', 0.7),
    ...leftAndRightWeights('eyeSquint', 0.35),
  },
  wink: { eyeBlinkLeft: 1, mouthSmileLeft: 1, cheekSquintLeft: 0.7, mouthSmileRight: 0.35 },
  surprise: {
    jawOpen: 1,
    browInnerUp: 0.9,
    ...leftAndRightWeights('browOuterUp', 0.85),
    ...leftAndRightWeights('eyeWide', 0.9),
    mouthFunnel: 0.25,
  },
  kiss: { mouthPucker: 1, mouthFunnel: 0.2, ...leftAndRightWeights('eyeSquint', 0.3) },
  frown: {
    ...leftAndRightWeights('mouthFrown', 1),
    ...leftAndRightWeights('browDown', 0.85),
    mouthShrugLower: 0.4,
  },
};
/** A surprised mouth is open, but not as for a yawn. */
const MAX_WEIGHTS: Record<string, number> = { jawOpen: 0.42 };

/** Every blendshape that is ever animated. Others need not be loaded. */
export const ANIMATED_BLENDSHAPES: ReadonlySet<string> = new Set(
  [
    leftAndRightWeights('eyeBlink', 1),
    leftAndRightWeights('mouthSmile', 1),
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
): Map<string, number> {
  const rest = still ? RESTING_EXPRESSION : idleExpressionAt(seconds);
  const made = asked ? (still ? 1 : requestedFaceStrengthAt(asked.since)) : 0;
  const weights = new Map<string, number>();
  // A requested face replaces the idle expression.
  const blink = rest.blink * (1 - made);
  const smile = rest.smile * (1 - made);
  for (const [shape, weight] of Object.entries({
    ...leftAndRightWeights('eyeBlink', blink),
    ...leftAndRightWeights('mouthSmile', smile),
  }))
    weights.set(shape, weight);
  if (!asked) return weights;
  for (const [shape, weight] of Object.entries(FACE_BLENDSHAPES[asked.face]))
    weights.set(shape, (weights.get(shape) ?? 0) + Math.min(weight, MAX_WEIGHTS[shape] ?? 1) * made);
  return weights;
}

/** Whether a requested face is over. */
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
function leftAndRightWeights(shape: string, weight: number): Record<string, number> {
  return { [`${shape}Left`]: weight, [`${shape}Right`]: weight };
}

/** The face at rest, without motion. */
export const RESTING_EXPRESSION: FacialExpression = { blink: 0, smile: 0.18 };

const BLINK_SECONDS = 0.22;
const SMILE_INTERVAL_SECONDS = 9;

/** The idle expression at `seconds` after the avatar appeared. */
export function idleExpressionAt(seconds: number): FacialExpression {
  return { blink: blinkWeightAt(seconds), smile: smileWeightAt(seconds) };
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

/** Smiles soon after the avatar appeared, then at intervals. */
function smileWeightAt(seconds: number): number {
  const t = (seconds + SMILE_INTERVAL_SECONDS - 1.2) % SMILE_INTERVAL_SECONDS;
  const rise = smoothstep(t / 0.9);
  const fall = smoothstep((t - 3.4) / 1.4);
  return RESTING_EXPRESSION.smile + (0.85 - RESTING_EXPRESSION.smile) * rise * (1 - fall);
}

function smoothstep(t: number): number {
  const x = Math.min(1, Math.max(0, t));
  return x * x * (3 - 2 * x);
}
