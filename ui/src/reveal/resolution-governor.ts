// Keeps the drawing fluent: as sharp as the machine can do, coarser where it cannot.

const MAX_PIXELS = 3.2e6;
const SLOW_FRAME_MS = 45;
const FRAME_WINDOW = 12;
// Without smooth edges a face is not to be recognised much below.
const MIN_RESOLUTION_SHARE = 0.5;
/** A frame of so many milliseconds holds up whatever else the screen does. */
const HEAVY_FRAME_MS = 100;

/** Chooses the resolution from the frames seen. */
export class ResolutionGovernor {
  #resolutionShare = 1;
  #frameTimeSum = 0;
  #frameCount = 0;
  #nextFrameAt = 0;

  /** The ratio of drawn to CSS pixels for a canvas of this size. */
  pixelRatio(width: number, height: number, device: number): number {
    const most = Math.sqrt(MAX_PIXELS / Math.max(1, width * height));
    return Math.min(device, 2, most) * this.#resolutionShare;
  }

  /** Takes in how long frames took before anybody sees one; true when they are to be coarser from the beginning. */
  checkWarmUpFrames(...milliseconds: number[]): boolean {
    const least = Math.min(...milliseconds);
    return least > HEAVY_FRAME_MS && this.#lowerResolution(least);
  }

  /** Whether the next frame may be drawn: after a heavy one, the rest of the screen gets as much time as it took. */
  isFrameDue(now: number): boolean {
    return now >= this.#nextFrameAt;
  }

  /** Takes in how long a frame took (milliseconds) that ended now; true when the resolution has changed. */
  addFrameTime(milliseconds: number, now = 0): boolean {
    if (milliseconds > HEAVY_FRAME_MS) this.#nextFrameAt = now + milliseconds;
    this.#frameTimeSum += milliseconds;
    this.#frameCount += 1;
    // Heavy frames are not to be waited for by the dozen; but one alone may have had another reason.
    if (
      this.#frameCount < FRAME_WINDOW &&
      (this.#frameCount < 2 || this.#frameTimeSum < FRAME_WINDOW * SLOW_FRAME_MS)
    )
      return false;
    const mean = this.#frameTimeSum / this.#frameCount;
    this.#frameTimeSum = 0;
    this.#frameCount = 0;
    return this.#lowerResolution(mean);
  }

  #lowerResolution(milliseconds: number): boolean {
    if (milliseconds < SLOW_FRAME_MS || this.#resolutionShare <= MIN_RESOLUTION_SHARE) return false;
    // The work goes with the area.
    const factor = Math.min(0.8, Math.max(0.5, Math.sqrt(SLOW_FRAME_MS / milliseconds)));
    this.#resolutionShare = Math.max(MIN_RESOLUTION_SHARE, this.#resolutionShare * factor);
    return true;
  }
}
