// Sorting and counting of the checks' states.
import type { CheckView } from '../../generated/view';

/**
 * The states of checks in the order in which they are counted: the words of `copresence validate` (docs/validate.md),
 * and `waiting` before a verdict.
 */
export const CHECK_STATES = [
  'pass',
  'fail',
  'warn',
  'inconclusive',
  'skipped',
  'not applicable',
  'waiting',
] as const;

/** The state of a check. */
export type CheckState = (typeof CHECK_STATES)[number];

/** The filters of the list of checks. */
export const CHECK_FILTERS = [
  'all',
  'fail',
  'warn',
  'inconclusive',
  'skipped',
  'not applicable',
  'pass',
] as const;

/** One of these filters. */
export type CheckFilter = (typeof CHECK_FILTERS)[number];

/** The state of a check. An unknown verdict does not pass; a failed SHOULD is only a warning. */
export function stateOfCheck({ verdict, level }: CheckView): CheckState {
  switch (verdict) {
    case null:
      return 'waiting';
    case 'fail':
      return level === 'must' ? 'fail' : 'warn';
    case 'pass':
    case 'skipped':
      return verdict;
    case 'not applicable':
    case 'not-applicable':
      return 'not applicable';
    default:
      return 'inconclusive';
  }
}

/** The number of checks in each state. */
export function countChecksByState(checks: readonly CheckView[]): Record<CheckState, number> {
  const counted = Object.fromEntries(CHECK_STATES.map((stand) => [stand, 0])) as Record<CheckState, number>;
  for (const check of checks) counted[stateOfCheck(check)] += 1;
  return counted;
}

const STATE_ORDER: readonly CheckState[] = [
  'fail',
  'warn',
  'inconclusive',
  'pass',
  'skipped',
  'not applicable',
  'waiting',
];

/** Failures first, then warnings; otherwise in the given order. */
export function sortFailedChecksFirst(checks: readonly CheckView[]): CheckView[] {
  const rank = (check: CheckView) => STATE_ORDER.indexOf(stateOfCheck(check));
  return checks
    .map((check, at) => ({ check, at }))
    .sort((a, b) => rank(a.check) - rank(b.check) || a.at - b.at)
    .map(({ check }) => check);
}

/** The parts of a finding of the form `expected …; came …`; null for any other. */
export function parseExpectedAndReceived(finding: string): { expected: string; came: string } | null {
  const found = /^expected:? (.*?)(?:;|,| —)? (?:but )?came:? (.*)$/is.exec(finding);
  return found ? { expected: found[1] ?? '', came: found[2] ?? '' } : null;
}
