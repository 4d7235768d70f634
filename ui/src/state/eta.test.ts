import { describe, expect, it } from 'vitest';
import { type Eta, EtaEstimator } from './eta';

const patience = { watched: 8, still: 30 };

/** Samples of a value that grows by `step` every `every` seconds. */
function watched(
  step: number,
  every: number,
  until: number,
): { course: EtaEstimator; value: number; at: number } {
  const course = new EtaEstimator();
  let [value, at] = [0, 0];
  while (value < until) {
    course.addSample(value, at);
    value += step;
    at += every;
  }
  return { course, value: value - step, at: at - every };
}
const range = (outlook: Eta) => (outlook.kind === 'left' ? [outlook.low, outlook.high] : outlook.kind);

describe('the time left', () => {
  it('is a range around the extrapolated time', () => {
    const { course, value, at } = watched(4, 5, 50);
    const left = ((100 - value) / 4) * 5;
    const [low, high] = range(course.estimateEta(100, at, patience)) as number[];
    expect(low).toBeLessThan(left);
    expect(low).toBeGreaterThan(left * 0.6);
    expect(high).toBeGreaterThan(left);
    expect(high).toBeLessThan(left * 1.5);
  });

  it('is unknown after one jump, after a moment, or without a change', () => {
    const course = new EtaEstimator();
    course.addSample(0, 0);
    expect(course.estimateEta(100, 1, patience).kind).toBe('open');
    course.addSample(50, 2);
    course.addSample(51, 2.5);
    course.addSample(52, 3);
    expect(course.estimateEta(100, 3, patience).kind).toBe('open');
  });

  it('is unknown when the pace is too uneven', () => {
    const course = new EtaEstimator();
    for (const [value, at] of [
      [0, 0],
      [1, 1],
      [60, 3],
      [61, 12],
      [62, 40],
    ] as const)
      course.addSample(value, at);
    expect(course.estimateEta(100, 41, patience).kind).toBe('open');
  });

  it('is never negative, and ends at the goal', () => {
    const { course, at } = watched(10, 3, 100);
    const [low] = range(course.estimateEta(100, at + 8, patience)) as number[];
    expect(low).toBeGreaterThanOrEqual(0);
    course.addSample(100, at + 9);
    expect(course.estimateEta(100, at + 9, patience).kind).toBe('open');
  });

  it('starts over when the value falls', () => {
    const { course, at } = watched(4, 5, 50);
    course.addSample(3, at + 5);
    expect(course.estimateEta(100, at + 6, patience).kind).toBe('open');
  });
});

describe('a stall', () => {
  it('is reported after the threshold, and ends with the next change', () => {
    const { course, value, at } = watched(4, 5, 50);
    expect(course.estimateEta(100, at + 29, patience).kind).not.toBe('stalled');
    expect(course.estimateEta(100, at + 31, patience).kind).toBe('stalled');
    course.addSample(value + 1, at + 40);
    expect(course.estimateEta(100, at + 40, patience).kind).not.toBe('stalled');
  });

  it('is not reported for slow progress', () => {
    const { course, at } = watched(1, 25, 10);
    expect(course.estimateEta(100, at + 60, patience).kind).not.toBe('stalled');
    expect(course.estimateEta(100, at + 80, patience).kind).toBe('stalled');
  });
});
