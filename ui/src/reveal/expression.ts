// A face at rest is not still: it blinks, and now and then it smiles. Pure: from a time to the weights.

/** Weights from 0 to 1. */
export interface Expression {
  blink: number;
  smile: number;
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
