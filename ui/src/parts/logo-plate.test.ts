import { expect, it } from 'vitest';
import { isDarkOnTransparent } from './logo-plate';

const of = (...pixels: [number, number, number, number][]) => pixels.flat();

it('a dark drawing on a transparent ground gets a light plate', () => {
  expect(isDarkOnTransparent(of([10, 20, 60, 255], [0, 0, 0, 0], [0, 0, 0, 0]))).toBe(true);
  expect(isDarkOnTransparent(of([255, 255, 255, 255], [0, 0, 0, 0]))).toBe(false);
  expect(isDarkOnTransparent(of([255, 120, 0, 255], [0, 0, 0, 0]))).toBe(false);
});

it('an opaque picture and an empty one get no plate', () => {
  expect(isDarkOnTransparent(of([0, 0, 0, 255], [9, 9, 9, 255]))).toBe(false);
  expect(isDarkOnTransparent(of([0, 0, 0, 0]))).toBe(false);
  expect(isDarkOnTransparent([])).toBe(false);
});
