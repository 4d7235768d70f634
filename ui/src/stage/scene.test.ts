import { expect, it } from 'vitest';
import { screens } from '../../fake/fixtures';
import { contourPath, FRAME } from './contour-path';
import { subjectOf } from './scene';

it('lights the figure as far as the avatar is made', () => {
  expect(subjectOf({ ...screens.making, progress: 42 })).toMatchObject({
    light: 'gather',
    lit: 0.42,
    ring: 0.42,
  });
});

it('claims no progress where none was reported', () => {
  expect(subjectOf(screens['making-open'])).toMatchObject({ lit: 'sweep', ring: 'open' });
  expect(subjectOf(screens['making-queue'])).toMatchObject({ lit: 'sweep', ring: 'open' });
  // A progress beside a status that is not `processing` means nothing that we know.
  expect(subjectOf({ ...screens['making-unknown'], progress: 50 })).toMatchObject({
    lit: 'sweep',
    ring: 'open',
  });
  expect(subjectOf(screens['saving-open'])).toMatchObject({ ring: 'open' });
});

it('waits in cool light, reveals in warm, and dims for a failure', () => {
  expect(subjectOf(screens.attract).light).toBe('cool');
  expect(subjectOf(screens.invite).light).toBe('cool');
  expect(subjectOf(screens.saving).light).toBe('warm');
  expect(subjectOf(screens.reveal)).toMatchObject({ light: 'warm', pose: 'gone' });
  expect(subjectOf(screens.ended).light).toBe('dim');
  expect(subjectOf(screens['making-failed']).light).toBe('dim');
  expect(subjectOf(null).light).toBe('dim');
});

it('draws the figure inside its frame', () => {
  const points = contourPath()
    .split(/[ML]/)
    .slice(1)
    .map((pair) => pair.split(' ').map(Number) as [number, number]);
  expect(points.length).toBeGreaterThan(5000);
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  expect(Math.min(...xs)).toBeGreaterThan(FRAME.x);
  expect(Math.max(...xs)).toBeLessThan(FRAME.x + FRAME.width);
  expect(Math.min(...ys)).toBeGreaterThan(FRAME.y);
  // The shoulders fade out over the lower edge.
  expect(Math.max(...ys)).toBeLessThan(FRAME.y + FRAME.height + 0.25);
});
