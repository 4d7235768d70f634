// Lowers the resolution until the machine renders smoothly, and raises it again when it does so with ease.

/** More is never drawn: twice the pixels of the avatar's place on a 4K display. */
const MAX_PIXELS = 9e6;
/** Above so many pixels, frames must keep up with the display; below, they need not. */
const MODEST_PIXELS = 3.2e6;
const SLOW_FRAME_MS = 45;
const FRAME_WINDOW = 12;
// Below this share a face is hardly recognisable without antialiasing.
const MIN_RESOLUTION_SHARE = 0.5;
/** Milliseconds of a frame that delays everything else on the screen. */
const HEAVY_FRAME_MS = 100;
/** Milliseconds of smooth frames after which more is tried, and by which factor. */
const RISE_AFTER_MS = 2000;
const RISE_FACTOR = 1.25;
/** Milliseconds within which a higher resolution must prove itself. */
const PROBATION_MS = 4000;
/** Milliseconds between two frames of the slowest display in use: 30 per second at 4K over an old cable. */
const MAX_DISPLAY_MS = 34;

/** Chooses the resolution from measured frame times. */
export class ResolutionGovernor {
  readonly #displayMs: number;
  #resolutionShare = 1;
  #maxShare = 1;
  #pixelsAtFullShare = 0;
  #frameTimeSum = 0;
  #frameCount = 0;
  #nextFrameAt = 0;
  #smoothMs = 0;
  /** The share before the last rise, and the milliseconds since then. */
  #risen: { from: number; ms: number } | null = null;

  /** `displayMs`: the milliseconds between two frames of the display. */
  constructor(displayMs = 1000 / 60) {
    this.#displayMs = Math.min(displayMs, MAX_DISPLAY_MS);
  }

  /** Whether fewer pixels are drawn than the display has. */
  get isReduced(): boolean {
    return this.#resolutionShare < 1;
  }

  /** Device pixels per CSS pixel for a canvas of this size, at full resolution. */
  fullPixelRatio(width: number, height: number, device: number): number {
    return Math.min(device, 2, Math.sqrt(MAX_PIXELS / Math.max(1, width * height)));
  }

  /** Device pixels per CSS pixel for a canvas of this size. */
  pixelRatio(width: number, height: number, device: number): number {
    const full = this.fullPixelRatio(width, height, device);
    this.#pixelsAtFullShare = width * height * full ** 2;
    return full * this.#resolutionShare;
  }

  /** Takes frame times from before the avatar is shown. Returns whether the resolution was lowered. */
  checkWarmUpFrames(...milliseconds: number[]): boolean {
    const least = Math.min(...milliseconds);
    if (least > HEAVY_FRAME_MS) return this.#lowerResolution(least);
    // A frame that is waited for takes up to two frames of the display.
    if (!this.#isLavish || least <= 3 * this.#displayMs) return false;
    this.#resolutionShare = Math.sqrt(MODEST_PIXELS / this.#pixelsAtFullShare);
    return true;
  }

  /** Whether the next frame may be drawn: after a heavy one, the rest of the screen gets as much time as it took. */
  isFrameDue(now: number): boolean {
    return now >= this.#nextFrameAt;
  }

  /** Takes the time in milliseconds of a frame that ended at `now`. Returns whether the resolution has changed. */
  addFrameTime(milliseconds: number, now = 0): boolean {
    if (milliseconds > HEAVY_FRAME_MS) this.#nextFrameAt = now + milliseconds;
    this.#frameTimeSum += milliseconds;
    this.#frameCount += 1;
    // Two heavy frames are enough; a single one may have another cause.
    if (
      this.#frameCount < FRAME_WINDOW &&
      (this.#frameCount < 2 || this.#frameTimeSum < FRAME_WINDOW * SLOW_FRAME_MS)
    )
      return false;
    const sum = this.#frameTimeSum;
    const mean = sum / this.#frameCount;
    this.#frameTimeSum = 0;
    this.#frameCount = 0;
    if (this.#risen) this.#risen.ms += sum;
    if (this.#lowerResolution(mean)) return true;
    if (this.#risen && this.#risen.ms > PROBATION_MS) this.#risen = null;
    this.#smoothMs = mean <= 1.25 * this.#displayMs ? this.#smoothMs + sum : 0;
    return this.#smoothMs >= RISE_AFTER_MS && this.#raiseResolution();
  }

  get #isLavish(): boolean {
    return this.#pixelsAtFullShare * this.#resolutionShare ** 2 > MODEST_PIXELS;
  }

  #lowerResolution(milliseconds: number): boolean {
    const slow = this.#isLavish ? Math.min(SLOW_FRAME_MS, 1.5 * this.#displayMs) : SLOW_FRAME_MS;
    if (milliseconds < slow || this.#resolutionShare <= MIN_RESOLUTION_SHARE) return false;
    // What was too much is not tried again.
    if (this.#risen) this.#maxShare = this.#risen.from;
    this.#risen = null;
    this.#smoothMs = 0;
    // The work is proportional to the area.
    const factor = Math.min(0.8, Math.max(0.5, Math.sqrt(slow / milliseconds)));
    this.#resolutionShare = Math.max(MIN_RESOLUTION_SHARE, this.#resolutionShare * factor);
    return true;
  }

  #raiseResolution(): boolean {
    this.#smoothMs = 0;
    const from = this.#resolutionShare;
    this.#resolutionShare = Math.min(this.#maxShare, from * RISE_FACTOR);
    if (this.#resolutionShare <= from) {
      this.#resolutionShare = from;
      return false;
    }
    this.#risen = { from, ms: 0 };
    return true;
  }
}
