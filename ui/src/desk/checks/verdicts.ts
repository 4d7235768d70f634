// What a run has come to so far: pure.
import type { CheckView } from '../../generated/view';

/** How checks stand, in the order in which they are counted: the words of `copresence validate` (docs/validate.md has
 * each), and what has none yet. */
export const CHECK_STATES = [
  'pass',
  'fail',
  'warn',
  'inconclusive',
  'skipped',
  'not applicable',
  'waiting',
] as const;

/** How a check stands. */
export type CheckState = (typeof CHECK_STATES)[number];

/** What a list of checks can be narrowed to. */
export const CHECK_FILTERS = [
  'all',
  'fail',
  'warn',
  'inconclusive',
  'skipped',
  'not applicable',
  'pass',
] as const;

/** One of them. */
export type CheckFilter = (typeof CHECK_FILTERS)[number];

/** How it stands. A verdict that this page does not know is none that passes; what breaks a SHOULD only warns. */
export function checkState({ verdict, level }: CheckView): CheckState {
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

/** How many stand how. */
export function countByState(checks: readonly CheckView[]): Record<CheckState, number> {
  const counted = Object.fromEntries(CHECK_STATES.map((stand) => [stand, 0])) as Record<CheckState, number>;
  for (const check of checks) counted[checkState(check)] += 1;
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

/** What fails first, then what warns; otherwise in their own order. */
export function sortFailingFirst(checks: readonly CheckView[]): CheckView[] {
  const rank = (check: CheckView) => STATE_ORDER.indexOf(checkState(check));
  return checks
    .map((check, at) => ({ check, at }))
    .sort((a, b) => rank(a.check) - rank(b.check) || a.at - b.at)
    .map(({ check }) => check);
}

/** A finding in its parts, where it is written as `expected …; came …`. */
export function parseFinding(finding: string): { expected: string; came: string } | null {
  const found = /^expected:? (.*?)(?:;|,| —)? (?:but )?came:? (.*)$/is.exec(finding);
  return found ? { expected: found[1] ?? '', came: found[2] ?? '' } : null;
}
