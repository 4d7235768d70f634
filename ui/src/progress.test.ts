import { describe, expect, it } from 'vitest';
import {
  overallProgressWhileMaking,
  overallProgressWhileSaving,
  RING_LENGTH,
  ringDashOffset,
  secondsUntil,
  sumDownloadedBytesAndShare,
} from './progress';

const file = (bytes: number, total: number | null, whole = false) => ({ file: 'a', bytes, total, whole });

describe('the whole', () => {
  it('is mostly the making, and never goes back when the files come', () => {
    expect(overallProgressWhileMaking(0)).toBe(0);
    expect(overallProgressWhileMaking(50)).toBeCloseTo(0.45);
    expect(overallProgressWhileMaking(100)).toBeLessThanOrEqual(overallProgressWhileSaving([file(0, 100)]));
    expect(overallProgressWhileSaving([file(50, 100)])).toBeCloseTo(0.95);
    expect(overallProgressWhileSaving([file(100, 100, true)])).toBeCloseTo(1);
  });
  it('claims nothing of files of unknown size', () => {
    expect(overallProgressWhileSaving([file(50, null)])).toBeCloseTo(0.9);
  });
  it('clamps what a service may say', () => {
    expect(overallProgressWhileMaking(700)).toBeCloseTo(0.9);
    expect(overallProgressWhileMaking(-3)).toBe(0);
  });
});

describe('all files', () => {
  it('are weighted by their bytes', () => {
    expect(sumDownloadedBytesAndShare([file(10, 100), file(300, 300, true)])).toEqual({
      bytes: 310,
      total: 400,
      share: 0.775,
    });
  });
  it('are unknown while one size is unknown', () => {
    expect(sumDownloadedBytesAndShare([file(10, null), file(300, 300, true)])).toEqual({
      bytes: 310,
      total: null,
      share: null,
    });
  });
  it('use the size of a complete file without an announced one', () => {
    expect(sumDownloadedBytesAndShare([file(50, 100), file(100, null, true)])).toEqual({
      bytes: 150,
      total: 200,
      share: 0.75,
    });
  });
  it('are full when all are complete', () => {
    expect(sumDownloadedBytesAndShare([file(10, null, true), file(20, 25, true)])).toEqual({
      bytes: 30,
      total: 30,
      share: 1,
    });
  });
  it('are unknown when there are none', () => expect(sumDownloadedBytesAndShare([]).share).toBeNull());
  it('grow with a body longer than announced', () => {
    expect(sumDownloadedBytesAndShare([file(150, 100), file(0, 50)])).toEqual({
      bytes: 150,
      total: 200,
      share: 0.75,
    });
  });
});

describe('the ring', () => {
  it('leaves out the remaining share', () => {
    expect(ringDashOffset(0)).toBe(RING_LENGTH);
    expect(ringDashOffset(0.25)).toBe(RING_LENGTH * 0.75);
    expect(ringDashOffset(1)).toBe(0);
  });
  it('clamps invalid values', () => {
    expect(ringDashOffset(7)).toBe(0);
    expect(ringDashOffset(-1)).toBe(RING_LENGTH);
    expect(ringDashOffset(Number.NaN)).toBe(RING_LENGTH);
  });
  it('has room for whole dots, so that the dotted ring has no seam', () => {
    const [dash, gap] = [6, 24];
    expect((RING_LENGTH * 10) % (dash + gap)).toBe(0);
  });
});

describe('the time left', () => {
  const now = Date.parse('2026-11-22T12:00:00Z');
  it('counts whole seconds', () => expect(secondsUntil('2026-11-22T12:01:30.400Z', now)).toBe(91));
  it('ends at zero', () => expect(secondsUntil('2026-11-22T11:00:00Z', now)).toBe(0));
  it('is unknown without an instant', () => {
    expect(secondsUntil(null, now)).toBeNull();
    expect(secondsUntil('soon', now)).toBeNull();
  });
});
