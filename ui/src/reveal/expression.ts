// A face at rest is not still: it blinks, and now and then it smiles; on request it makes a face. Pure: from a time
// to the weights of blendshapes, which bear ARKit's names.

/** Weights from 0 to 1. */
export interface Expression {
  blink: number;
  smile: number;
}

/** Faces that can be asked for. */
export const FACES = ['smile', 'wink', 'surprise', 'kiss', 'frown'] as const;

/** One of them. */
export type Face = (typeof FACES)[number];

/** How strongly each blendshape takes part in a face. Those at one are what makes it: without them it is not there. */
const SHAPES: Record<Face, Record<string, number>> = {
  smile: { ...both('mouthSmile', 1), ...both('cheekSquint', 0.7), ...both('eyeSquint', 0.35) },
  wink: { eyeBlinkLeft: 1, mouthSmileLeft: 1, cheekSquintLeft: 0.7, mouthSmileRight: 0.35 },
  surprise: {
    jawOpen: 1,
    browInnerUp: 0.9,
    ...both('browOuterUp', 0.85),
    ...both('eyeWide', 0.9),
    mouthFunnel: 0.25,
  },
  kiss: { mouthPucker: 1, mouthFunnel: 0.2, ...both('eyeSquint', 0.3) },
  frown: { ...both('mouthFrown', 1), ...both('browDown', 0.85), mouthShrugLower: 0.4 },
};
/** An open mouth goes with a surprise, but not a yawn. */
const MOST: Record<string, number> = { jawOpen: 0.42 };

/** Every blendshape that is ever moved: others need not be loaded. */
export const MOVED: ReadonlySet<string> = new Set(
  [both('eyeBlink', 1), both('mouthSmile', 1), ...Object.values(SHAPES)].flatMap(Object.keys),
);

/** The faces that a figure with these blendshapes can make. */
export function facesOf(shapes: ReadonlySet<string>): Face[] {
  return FACES.filter((face) =>
    Object.entries(SHAPES[face]).every(([shape, weight]) => weight < 1 || shapes.has(shape)),
  );
}

const FACE_RISES = 0.32;
const FACE_STAYS = 2.2;
const FACE_FALLS = 0.7;

/** A face `since` seconds after it was asked for; over when it is null. */
export interface Asked {
  face: Face;
  since: number;
}

/** The weight of each moved blendshape at `seconds` after the figure appeared, with the face that was asked for. */
export function weightsAt(seconds: number, asked: Asked | null, still = false): Map<string, number> {
  const rest = still ? STILL : expressionAt(seconds);
  const made = asked ? (still ? 1 : strengthOf(asked.since)) : 0;
  const weights = new Map<string, number>();
  // What is asked for takes the place of what comes by itself.
  const blink = rest.blink * (1 - made);
  const smile = rest.smile * (1 - made);
  for (const [shape, weight] of Object.entries({ ...both('eyeBlink', blink), ...both('mouthSmile', smile) }))
    weights.set(shape, weight);
  if (!asked) return weights;
  for (const [shape, weight] of Object.entries(SHAPES[asked.face]))
    weights.set(shape, (weights.get(shape) ?? 0) + Math.min(weight, MOST[shape] ?? 1) * made);
  return weights;
}

/** Whether a face that was asked for has passed. */
export function passed({ since }: Asked): boolean {
  return since > FACE_RISES + FACE_STAYS + FACE_FALLS;
}

function strengthOf(since: number): number {
  return smooth(since / FACE_RISES) * (1 - smooth((since - FACE_RISES - FACE_STAYS) / FACE_FALLS));
}

function both(shape: string, weight: number): Record<string, number> {
  return { [`${shape}Left`]: weight, [`${shape}Right`]: weight };
}

/** The face at rest, without motion. */
export const STILL: Expression = { blink: 0, smile: 0.18 };

const BLINK = 0.22;
const SMILE_EVERY = 9;

/** The face at `seconds` after it appeared. */
export function expressionAt(seconds: number): Expression {
  return { blink: blinkAt(seconds), smile: smileAt(seconds) };
}

/** Blinks come unevenly: the gaps are taken from a short list that never falls in step with the smile. */
function blinkAt(seconds: number): number {
  const gaps = [2.6, 4.1, 0.42, 3.3, 5.2];
  const round = gaps.reduce((sum, gap) => sum + gap, 0);
  let t = seconds % round;
  for (const gap of gaps) {
    if (t < gap) {
      const into = t - (gap - BLINK);
      return into < 0 ? 0 : Math.sin((into / BLINK) * Math.PI) ** 0.7;
    }
    t -= gap;
  }
  return 0;
}

/** Smiles once soon after it appeared, then every few seconds for a while. */
function smileAt(seconds: number): number {
  const t = (seconds + SMILE_EVERY - 1.2) % SMILE_EVERY;
  const rise = smooth(t / 0.9);
  const fall = smooth((t - 3.4) / 1.4);
  return STILL.smile + (0.85 - STILL.smile) * rise * (1 - fall);
}

function smooth(t: number): number {
  const x = Math.min(1, Math.max(0, t));
  return x * x * (3 - 2 * x);
}
