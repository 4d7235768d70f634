// How a visit ended, at a glance: pure.
import type { HealthStand, PastVisit } from '../generated/view';

/** Endings that are nobody's fault, or that still brought something. */
const PARTIAL_OUTCOMES = ['saved_in_part', 'token_expired', 'token_abandoned', 'timed_out', 'interrupted'];

/** How it went, in the shapes of Health. One that was cut short may still be finished. */
export function visitOutcome({ ended, live }: PastVisit): HealthStand {
  if (live) return 'unknown';
  if (ended === 'saved') return 'good';
  return ended === null || PARTIAL_OUTCOMES.includes(ended) ? 'doubtful' : 'bad';
}
