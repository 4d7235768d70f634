// Keeps the drawing fluent: as sharp as the machine can do, coarser where it cannot.

const MOST_PIXELS = 3.2e6;
const SLOW_FRAME = 45;
const WINDOW = 12;
const LEAST = 0.4;
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

  /** Whether the next frame may be drawn: after a heavy one, the rest of the screen gets as much time as it took. */
  due(now: number): boolean {
    return now >= this.#rest;
  }

  /** Takes in how long a frame took (milliseconds) that ended now; true when the resolution has changed. */
  saw(milliseconds: number, now = 0): boolean {
    if (milliseconds > HEAVY) this.#rest = now + milliseconds;
    this.#sum += milliseconds;
    this.#seen += 1;
    if (this.#seen < WINDOW) return false;
    const mean = this.#sum / this.#seen;
    this.#sum = 0;
    this.#seen = 0;
    if (mean < SLOW_FRAME || this.#share <= LEAST) return false;
    this.#share = Math.max(LEAST, this.#share * 0.8);
    return true;
  }
}
