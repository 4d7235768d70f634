import { expect, it } from 'vitest';
import type { CheckView } from '../../generated/view';
import { count, failingFirst, partsOf, standOf } from './counters';

const check = (id: string, verdict: string | null, level = 'must'): CheckView => ({
  id,
  title: id,
  level,
  verdict,
  findings: [],
  remedy: '',
  requirements: [],
});

it('counts every check once, and passes nothing that it does not know', () => {
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
  const checks = verdicts.map((verdict, i) => check(String(i), verdict));
  expect(checks.map(standOf)).toEqual([
    'pass',
    'fail',
    'skipped',
    'inconclusive',
    'n/a',
    'n/a',
    'inconclusive',
    'waits',
  ]);
  const counted = count(checks);
  expect(counted).toEqual({ pass: 1, fail: 1, inconclusive: 2, skipped: 1, 'n/a': 2, waits: 1 });
  expect(Object.values(counted).reduce((a, b) => a + b)).toBe(checks.length);
});

it('puts what fails first, what must hold before what should', () => {
  const checks = [
    check('a', 'pass'),
    check('b', 'fail', 'may'),
    check('c', 'skipped'),
    check('d', 'fail', 'should'),
    check('e', 'inconclusive'),
    check('f', 'fail'),
    check('g', 'pass'),
  ];
  expect(failingFirst(checks).map(({ id }) => id)).toEqual(['f', 'd', 'b', 'e', 'a', 'g', 'c']);
  expect(checks[0]?.id).toBe('a');
});

it('takes a finding apart where it says what was expected', () => {
  expect(partsOf('expected: 400; came: 500 (step 3)')).toEqual({ expected: '400', came: '500 (step 3)' });
  expect(partsOf('expected 400, came 200 with `x`')).toEqual({ expected: '400', came: '200 with `x`' });
  expect(partsOf('3 answers were looked at')).toBeNull();
});
