import { expect, it } from 'vitest';
import docs from '../../../../docs/validate.md?raw';
import type { CheckView } from '../../generated/view';
import {
  CHECK_STATES,
  countChecksByState,
  parseExpectedAndReceived,
  sortFailedChecksFirst,
  stateOfCheck,
} from './verdicts';

const check = (id: string, verdict: string | null, level = 'must'): CheckView => ({
  id,
  title: id,
  level,
  verdict,
  findings: [],
  remedy: '',
  requirements: [],
});

it('counts every check once, and does not pass unknown verdicts', () => {
  const verdicts = [
    'pass',
    'fail',
    'skipped',
    'inconclusive',
    'not applicable',
    'not-applicable',
    'new',
    null,
  ];
  const checks = [
    ...verdicts.map((verdict, i) => check(String(i), verdict)),
    check('s', 'fail', 'should'),
    check('t', 'pass', 'should'),
  ];
  expect(checks.map(stateOfCheck)).toEqual([
    'pass',
    'fail',
    'skipped',
    'inconclusive',
    'not applicable',
    'not applicable',
    'inconclusive',
    'waiting',
    'warn',
    'pass',
  ]);
  const counted = countChecksByState(checks);
  expect(counted).toEqual({
    pass: 2,
    fail: 1,
    warn: 1,
    inconclusive: 2,
    skipped: 1,
    'not applicable': 2,
    waiting: 1,
  });
  expect(Object.values(counted).reduce((a, b) => a + b)).toBe(checks.length);
});

it('uses the words of the documentation', () => {
  const documented = [...docs.matchAll(/^\| `([a-z ]+)` \| `[a-z-]+` \|/gm)].map(([, word]) => word);
  // Words of the command line's list of known failures, which the desk does not have.
  const listed = ['known', 'stale'];
  const words = new Set([...CHECK_STATES, ...listed]);
  expect(new Set([...documented, 'waiting'])).toEqual(words);
});

it('sorts failures first, MUST before SHOULD', () => {
  const checks = [
    check('a', 'pass'),
    check('b', 'fail', 'should'),
    check('c', 'skipped'),
    check('d', 'fail', 'should'),
    check('e', 'inconclusive'),
    check('f', 'fail'),
    check('g', 'pass'),
  ];
  expect(sortFailedChecksFirst(checks).map(({ id }) => id)).toEqual(['f', 'b', 'd', 'e', 'a', 'g', 'c']);
  expect(checks[0]?.id).toBe('a');
});

it('parses a finding that says what was expected', () => {
  expect(parseExpectedAndReceived('expected: 400; came: 500 (step 3)')).toEqual({
    expected: '400',
    came: '500 (step 3)',
  });
  expect(parseExpectedAndReceived('expected 400, came 200 with `x`')).toEqual({
    expected: '400',
    came: '200 with `x`',
  });
  expect(parseExpectedAndReceived('3 answers were looked at')).toBeNull();
});
