// How a visit ended, for an icon.
import type { PartHealthState, PastVisit } from '../generated/view';

/** Outcomes that are no error of the system, or that still delivered something. */
const PARTIAL_OUTCOMES = [
  'saved_in_part',
  'download_interrupted',
  'token_expired',
  'token_abandoned',
  'timed_out',
  'interrupted',
];

/** The outcome in the states of Health. An interrupted visit may still be completed. */
export function outcomeAsHealthState({ ended, live }: PastVisit): PartHealthState {
  if (live) return 'unknown';
  if (ended === 'saved') return 'good';
  return ended === null || PARTIAL_OUTCOMES.includes(ended) ? 'doubtful' : 'bad';
}
