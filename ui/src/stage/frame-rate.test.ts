import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isFrameRateTooLow, remeasureAndMaybeReduceMotion } from './frame-rate';

describe('the motion of the stage', () => {
  let root: HTMLElement;
  let pace = 16;
  beforeEach(() => {
    vi.useFakeTimers();
    root = document.createElement('div');
    vi.stubGlobal('requestAnimationFrame', (next: () => void) => setTimeout(next, pace));
    vi.stubGlobal('cancelAnimationFrame', (frame: ReturnType<typeof setTimeout>) => clearTimeout(frame));
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it('is full at a high frame rate', () => {
    pace = 16;
    remeasureAndMaybeReduceMotion(root);
    vi.advanceTimersByTime(10_000);
    expect(root.dataset.motion).toBeUndefined();
  });

  it('is reduced at a low frame rate, and measured again', () => {
    pace = 90;
    remeasureAndMaybeReduceMotion(root);
    vi.advanceTimersByTime(10_000);
    expect(root.dataset.motion).toBe('spare');
    pace = 16;
    remeasureAndMaybeReduceMotion(root);
    expect(root.dataset.motion).toBeUndefined();
    vi.advanceTimersByTime(10_000);
    expect(root.dataset.motion).toBeUndefined();
  });

  it('is not changed by a cancelled measurement', () => {
    pace = 90;
    const end = remeasureAndMaybeReduceMotion(root);
    vi.advanceTimersByTime(3000);
    end();
    vi.advanceTimersByTime(10_000);
    expect(root.dataset.motion).toBeUndefined();
  });

  it('is not judged by a page that draws no frames', () => {
    expect(isFrameRateTooLow(0, 2000)).toBe(false);
    expect(isFrameRateTooLow(47, 2000)).toBe(true);
    expect(isFrameRateTooLow(48, 2000)).toBe(false);
  });
});
