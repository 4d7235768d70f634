// Lowers the resolution until the machine renders smoothly.

const MAX_PIXELS = 3.2e6;
const SLOW_FRAME_MS = 45;
const FRAME_WINDOW = 12;
// Below this share a face is hardly recognisable without antialiasing.
const MIN_RESOLUTION_SHARE = 0.5;
/** Milliseconds of a frame that delays everything else on the screen. */
const HEAVY_FRAME_MS = 100;

/** Chooses the resolution from measured frame times. */
export class ResolutionGovernor {
  #resolutionShare = 1;
  #frameTimeSum = 0;
  #frameCount = 0;
  #nextFrameAt = 0;

  /** Device pixels per CSS pixel for a canvas of this size. */
  pixelRatio(width: number, height: number, device: number): number {
    const most = Math.sqrt(MAX_PIXELS / Math.max(1, width * height));
    return Math.min(device, 2, most) * this.#resolutionShare;
  }

  /** Takes frame times from before the avatar is shown. Returns whether the resolution was lowered. */
  checkWarmUpFrames(...milliseconds: number[]): boolean {
    const least = Math.min(...milliseconds);
    return least > HEAVY_FRAME_MS && this.#lowerResolution(least);
  }

  /** Whether the next frame may be drawn: after a heavy one, the rest of the screen gets as much time as it took. */
  isFrameDue(now: number): boolean {
    return now >= this.#nextFrameAt;
  }

  /** Takes the time in milliseconds of a frame that ended at `now`. Returns whether the resolution was lowered. */
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
    const mean = this.#frameTimeSum / this.#frameCount;
    this.#frameTimeSum = 0;
    this.#frameCount = 0;
    return this.#lowerResolution(mean);
  }

  #lowerResolution(milliseconds: number): boolean {
    if (milliseconds < SLOW_FRAME_MS || this.#resolutionShare <= MIN_RESOLUTION_SHARE) return false;
    // The work is proportional to the area.
    const factor = Math.min(0.8, Math.max(0.5, Math.sqrt(SLOW_FRAME_MS / milliseconds)));
    this.#resolutionShare = Math.max(MIN_RESOLUTION_SHARE, this.#resolutionShare * factor);
    return true;
  }
}
