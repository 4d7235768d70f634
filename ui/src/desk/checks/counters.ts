// What a run has come to so far: pure.
import type { CheckView } from '../../generated/view';

/** How a check stands, for the eye: `open` was tried and tells nothing, `left` was left out. */
export type Stand = 'pass' | 'fail' | 'open' | 'left' | 'waits';

/** How it stands. A verdict that this page does not know is none that passes. */
export function standOf({ verdict }: CheckView): Stand {
  switch (verdict) {
    case null:
      return 'waits';
    case 'pass':
    case 'fail':
      return verdict;
    case 'skipped':
    case 'not applicable':
    case 'not-applicable':
      return 'left';
    default:
      return 'open';
  }
}

/** How many stand how. */
export function count(checks: readonly CheckView[]): Record<Stand, number> {
  const counted = { pass: 0, fail: 0, open: 0, left: 0, waits: 0 };
  for (const check of checks) counted[standOf(check)] += 1;
  return counted;
}

const LEVELS = ['must', 'should', 'may'];
const URGENCY: readonly Stand[] = ['fail', 'open', 'pass', 'left', 'waits'];

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
