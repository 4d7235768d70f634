// Estimates the remaining time from the observed pace alone.

/** A range of seconds, a stall, or `open` when no estimate is justified. */
export type Eta = { kind: 'open' } | { kind: 'stalled' } | { kind: 'left'; low: number; high: number };

/** When an estimate or a stall may be shown, in seconds. */
export interface EtaThresholds {
  /** Minimum observed time before a range is given. */
  watched: number;
  /** Minimum time without a change before a stall is reported. */
  still: number;
}

const UNKNOWN_ETA: Eta = { kind: 'open' };
/** Changes to observe before a pace is computed. */
const MIN_CHANGES = 3;
/** A range whose ends differ by more than this factor is not given. */
const MAX_RANGE_RATIO = 4;

/** Estimates the remaining time of a value that grows towards a goal from the samples observed so far. */
export class EtaEstimator {
  #samples: { at: number; value: number }[] = [];

  /** An estimator for samples that were observed elsewhere, oldest first, with times in seconds. */
  static fromSamples(seen: Iterable<{ at: number; value: number }>): EtaEstimator {
    const course = new EtaEstimator();
    for (const { at, value } of seen) course.addSample(value, at);
    return course;
  }

  /** Adds a value observed at a time in seconds. A smaller value starts over. */
  addSample(value: number, at: number): void {
    const last = this.#samples.at(-1);
    if (last && value === last.value) return;
    if (last && value < last.value) this.#samples = [];
    this.#samples.push({ at, value });
  }

  /** The estimate at a time in seconds for the distance to `goal`. */
  estimateEta(goal: number, now: number, patience: EtaThresholds): Eta {
    const last = this.#samples.at(-1);
    // How long the first value had been there is unknown: the clock starts with the first change.
    const [, first] = this.#samples;
    if (!last || last.value >= goal) return UNKNOWN_ETA;
    const still = now - last.at;
    if (still > Math.max(patience.still, 3 * this.#longestGap())) return { kind: 'stalled' };
    if (!first || this.#samples.length <= MIN_CHANGES || last.at - first.at < patience.watched)
      return UNKNOWN_ETA;
    const recent = this.#samples[Math.max(1, Math.floor(this.#samples.length / 2))] ?? first;
    const paces = [first, recent]
      .filter((from) => from.at < last.at)
      .map((from) => (last.value - from.value) / (last.at - from.at));
    const [slowest, quickest] = [Math.min(...paces), Math.max(...paces)];
    const left = goal - last.value;
    // The time since the last change counts as progress for the lower end, and as delay for the upper end.
    const low = Math.max(0, left / quickest - still) * 0.85;
    const high = (left / slowest) * 1.2 + Math.max(0, still - this.#longestGap());
    if (!Number.isFinite(high) || high > Math.max(MAX_RANGE_RATIO * low, 20)) return UNKNOWN_ETA;
    return { kind: 'left', low, high };
  }

  #longestGap(): number {
    let longest = 0;
    for (let i = 1; i < this.#samples.length; i += 1) {
      longest = Math.max(longest, (this.#samples[i]?.at ?? 0) - (this.#samples[i - 1]?.at ?? 0));
    }
    return longest;
  }
}
