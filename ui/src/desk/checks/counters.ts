// What a run has come to so far: pure.
import type { CheckView } from '../../generated/view';

/** How checks stand, in the order in which they are counted: the verdicts of `validate`, and what has none yet. */
export const STANDS = ['pass', 'fail', 'inconclusive', 'skipped', 'n/a', 'waits'] as const;

/** How a check stands. */
export type Stand = (typeof STANDS)[number];

/** What a list of checks can be narrowed to. */
export const SHOWN = ['all', 'fail', 'inconclusive', 'skipped', 'n/a'] as const;

/** One of them. */
export type Shown = (typeof SHOWN)[number];

/** How it stands. A verdict that this page does not know is none that passes. */
export function standOf({ verdict }: CheckView): Stand {
  switch (verdict) {
    case null:
      return 'waits';
    case 'pass':
    case 'fail':
    case 'skipped':
      return verdict;
    case 'not applicable':
    case 'not-applicable':
      return 'n/a';
    default:
      return 'inconclusive';
  }
}

/** How many stand how. */
export function count(checks: readonly CheckView[]): Record<Stand, number> {
  const counted = { pass: 0, fail: 0, inconclusive: 0, skipped: 0, 'n/a': 0, waits: 0 };
  for (const check of checks) counted[standOf(check)] += 1;
  return counted;
}

const LEVELS = ['must', 'should', 'may'];
const URGENCY: readonly Stand[] = ['fail', 'inconclusive', 'pass', 'skipped', 'n/a', 'waits'];

/** What fails first, what must hold before what should; otherwise in their own order. */
export function failingFirst(checks: readonly CheckView[]): CheckView[] {
  const rank = (check: CheckView) => {
    const stand = URGENCY.indexOf(standOf(check));
    const level = LEVELS.indexOf(check.level);
    return stand * 10 + (stand === 0 ? (level < 0 ? LEVELS.length : level) : 0);
  };
  return checks
    .map((check, at) => ({ check, at }))
    .sort((a, b) => rank(a.check) - rank(b.check) || a.at - b.at)
    .map(({ check }) => check);
}

/** A finding in its parts, where it is written as `expected …; came …`. */
export function partsOf(finding: string): { expected: string; came: string } | null {
  const found = /^expected:? (.*?)(?:;|,| —)? (?:but )?came:? (.*)$/is.exec(finding);
  return found ? { expected: found[1] ?? '', came: found[2] ?? '' } : null;
}
