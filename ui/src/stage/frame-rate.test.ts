import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isFrameRateTooLow, measureFrameRate } from './frame-rate';

describe('the stage’s own movement', () => {
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

  it('goes on where frames come fast', () => {
    pace = 16;
    measureFrameRate(root);
    vi.advanceTimersByTime(10_000);
    expect(root.dataset.motion).toBeUndefined();
  });

  it('is spared where they do not, and tried again at the next look', () => {
    pace = 90;
    measureFrameRate(root);
    vi.advanceTimersByTime(10_000);
    expect(root.dataset.motion).toBe('spare');
    pace = 16;
    measureFrameRate(root);
    expect(root.dataset.motion).toBeUndefined();
    vi.advanceTimersByTime(10_000);
    expect(root.dataset.motion).toBeUndefined();
  });

  it('is left as it is by a look that was ended', () => {
    pace = 90;
    const end = measureFrameRate(root);
    vi.advanceTimersByTime(3000);
    end();
    vi.advanceTimersByTime(10_000);
    expect(root.dataset.motion).toBeUndefined();
  });

  it('is not judged by a page that draws nothing', () => {
    expect(isFrameRateTooLow(0, 2000)).toBe(false);
    expect(isFrameRateTooLow(47, 2000)).toBe(true);
    expect(isFrameRateTooLow(48, 2000)).toBe(false);
  });
});
