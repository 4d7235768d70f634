// How long it still takes, from the pace that was seen here and from nothing else: pure.

/** What can honestly be said: a range of seconds, that nothing moves, or nothing. */
export type Eta = { kind: 'open' } | { kind: 'stalled' } | { kind: 'left'; low: number; high: number };

/** How patient a course is, in seconds. */
export interface EtaThresholds {
  /** No range before this much has been watched. */
  watched: number;
  /** No stall before this much has passed without a change. */
  still: number;
}

const UNKNOWN_ETA: Eta = { kind: 'open' };
/** Changes to see before a pace is one. */
const MIN_CHANGES = 3;
/** A range wider than this says nothing. */
const MAX_RANGE_RATIO = 4;

/** Something that grows towards a goal, as it was watched. */
export class EtaEstimator {
  #samples: { at: number; value: number }[] = [];

  /** One that somebody else watched, oldest first: times in seconds. */
  static fromSamples(seen: Iterable<{ at: number; value: number }>): EtaEstimator {
    const course = new EtaEstimator();
    for (const { at, value } of seen) course.addSample(value, at);
    return course;
  }

  /** Notes the value at a time in seconds. One that shrinks begins anew. */
  addSample(value: number, at: number): void {
    const last = this.#samples.at(-1);
    if (last && value === last.value) return;
    if (last && value < last.value) this.#samples = [];
    this.#samples.push({ at, value });
  }

  /** What can be said at a time about the way that is left to `goal`. */
  estimateEta(goal: number, now: number, patience: EtaThresholds): Eta {
    const last = this.#samples.at(-1);
    // How long the first value had stood is not known: the clock runs from the first change.
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
    // What has passed since the last change counts as progress for the hopeful, as a delay for the careful.
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
