// Keeps the drawing fluent: as sharp as the machine can do, coarser where it cannot.

const MOST_PIXELS = 3.2e6;
const SLOW_FRAME = 45;
const WINDOW = 12;
// Without smooth edges a face is not to be recognised much below.
const LEAST = 0.5;
/** A frame of so many milliseconds holds up whatever else the screen does. */
const HEAVY = 100;

/** Chooses the resolution from the frames seen. */
export class Pace {
  #share = 1;
  #sum = 0;
  #seen = 0;
  #rest = 0;

  /** The ratio of drawn to CSS pixels for a canvas of this size. */
  ratio(width: number, height: number, device: number): number {
    const most = Math.sqrt(MOST_PIXELS / Math.max(1, width * height));
    return Math.min(device, 2, most) * this.#share;
  }

  /** Takes in how long frames took before anybody sees one; true when they are to be coarser from the beginning. */
  foresaw(...milliseconds: number[]): boolean {
    const least = Math.min(...milliseconds);
    return least > HEAVY && this.#coarser(least);
  }

  /** Whether the next frame may be drawn: after a heavy one, the rest of the screen gets as much time as it took. */
  due(now: number): boolean {
    return now >= this.#rest;
  }

  /** Takes in how long a frame took (milliseconds) that ended now; true when the resolution has changed. */
  saw(milliseconds: number, now = 0): boolean {
    if (milliseconds > HEAVY) this.#rest = now + milliseconds;
    this.#sum += milliseconds;
    this.#seen += 1;
    // Heavy frames are not to be waited for by the dozen; but one alone may have had another reason.
    if (this.#seen < WINDOW && (this.#seen < 2 || this.#sum < WINDOW * SLOW_FRAME)) return false;
    const mean = this.#sum / this.#seen;
    this.#sum = 0;
    this.#seen = 0;
    return this.#coarser(mean);
  }

  #coarser(milliseconds: number): boolean {
    if (milliseconds < SLOW_FRAME || this.#share <= LEAST) return false;
    // The work goes with the area.
    const factor = Math.min(0.8, Math.max(0.5, Math.sqrt(SLOW_FRAME / milliseconds)));
    this.#share = Math.max(LEAST, this.#share * factor);
    return true;
  }
}
