import { describe, expect, it } from 'vitest';
import { screens } from '../../fake/fixtures';
import { CONTOUR_FRAME, createContourDrawing, createContourStrokes } from './contour-path';
import { sceneBehindDialog, sceneForScreen } from './scene';

it('lights the figure by the avatar’s progress', () => {
  expect(sceneForScreen({ ...screens.making, progress: 42 })).toMatchObject({
    light: 'gather',
    lit: expect.closeTo(0.378),
    ring: expect.closeTo(0.378),
  });
});

it('shows no progress when none was reported', () => {
  expect(sceneForScreen(screens['making-open'])).toMatchObject({ lit: 'sweep', ring: 'open' });
  expect(sceneForScreen(screens['making-queue'])).toMatchObject({ lit: 'sweep', ring: 'open' });
  // A progress with a status other than `processing` has no defined meaning.
  expect(sceneForScreen({ ...screens['making-unknown'], progress: 50 })).toMatchObject({
    lit: 'sweep',
    ring: 'open',
  });
  // The ring stays where the screen before has left it.
  expect(sceneForScreen(screens['saving-open'])).toMatchObject({ ring: 0.9 });
});

it('uses cool light for waiting, warm light for the reveal, and dim light for failures', () => {
  expect(sceneForScreen(screens.attract).light).toBe('cool');
  expect(sceneForScreen(screens.invite).light).toBe('cool');
  expect(sceneForScreen(screens.saving).light).toBe('warm');
  expect(sceneForScreen(screens.reveal)).toMatchObject({ light: 'warm', pose: 'gone' });
  expect(sceneForScreen(screens.ended).light).toBe('dim');
  expect(sceneForScreen(screens['making-failed']).light).toBe('dim');
  expect(sceneForScreen(null).light).toBe('dim');
});

it('shows no figure on screens without a visitor', () => {
  for (const screen of [screens.ended, screens.forgotten])
    expect(sceneForScreen(screen)).toMatchObject({ light: 'dim', pose: 'gone' });
  expect(sceneForScreen(screens.attract, { closed: screens.ended.problem })).toMatchObject({
    light: 'dim',
    pose: 'gone',
  });
  expect(sceneForScreen(null, { isDisconnected: true })).toMatchObject({
    pose: 'gone',
    symbol: 'console',
  });
});

it('shows the figure, and no face, behind a dialog and while its visit is deleted', () => {
  for (const scene of [sceneForScreen(screens.reveal), sceneForScreen(screens['ended-kept'])])
    expect(sceneBehindDialog(scene)).toEqual({ light: scene.light, pose: 'alone', lit: 0, ring: 'none' });
  // Its light goes out from the top.
  expect(sceneForScreen(screens.reveal).lit).toBe(1);
  expect(sceneForScreen(screens.forgetting)).toMatchObject({ pose: 'alone', lit: 0.35, light: 'dim' });
});

it('draws nothing behind a code and what is written below it', () => {
  for (const screen of [screens.invite, screens['making-failed']])
    expect(sceneForScreen(screen)).toMatchObject({ pose: 'gone', ring: 'none' });
});

it('draws in its place what has happened', () => {
  const symbolOf = (code: string) =>
    sceneForScreen({ ...screens.ended, problem: { ...screens.ended.problem, code } }).symbol;
  expect(['token_expired', 'gate', 'saved_in_part', 'disk_full'].map(symbolOf)).toEqual([
    'code',
    'connection',
    'portrait',
    'bell',
  ]);
  expect(sceneForScreen(screens.forgetting).symbol).toBeUndefined();
  expect(sceneForScreen(screens.forgotten).symbol).toBe('tick');
  // A code that expires looks the same before and after the backend has refused it.
  expect(sceneForScreen(screens['invite-expired'])).toEqual(sceneForScreen(screens.ended));
});

describe('the figure', () => {
  const { contours, hair, ears } = createContourStrokes();
  const [ear = []] = ears;
  const topOfEar = Math.min(...ear.map(([, down]) => down));

  it('has an ear with a closed edge', () => {
    expect(ear.length).toBeGreaterThan(40);
    expect(ear.at(-1)).toEqual(ear[0]);
  });

  it('has hair that ends above the ears', () => {
    // The ear is a seventh of the head; the tips may touch its rim.
    for (const strand of hair)
      expect(Math.max(...strand.map(([, down]) => down))).toBeLessThan(topOfEar + 0.1);
    // The outline of the hair ends on the rim.
    const [end] = hair.at(-1) ?? [];
    const distance = Math.min(
      ...ear.map(([right, down]) => Math.hypot(right - (end?.[0] ?? 9), down - (end?.[1] ?? 9))),
    );
    expect(distance).toBeLessThan(0.03);
  });

  it('has hair up to its outline, which is no wire beside the head', () => {
    const strands = hair.slice(0, -1).flat();
    const aboveEar = (hair.at(-1) ?? []).filter(([right, down]) => right > 0.5 && down < topOfEar - 0.05);
    expect(aboveEar.length).toBeGreaterThan(5);
    for (const [right, down] of aboveEar)
      expect(Math.min(...strands.map(([x, y]) => Math.hypot(x - right, y - down)))).toBeLessThan(0.06);
  });

  it('has a throat in the shade of the chin: fewer lines in the middle of the neck than at its sides', () => {
    const linesAt = (x: number) =>
      contours.filter((line) =>
        line.slice(1).some(([right, down], i) => {
          const before = line[i]?.[0] ?? right;
          return down > 1.05 && down < 1.25 && Math.min(before, right) <= x && Math.max(before, right) >= x;
        }),
      ).length;
    expect(linesAt(0)).toBeLessThan(0.7 * linesAt(0.22));
  });

  it('has shoulders without hooks: each of their lines runs from one side to the other', () => {
    const shoulders = contours.filter((line) => line.every(([, down]) => down > 1.35));
    expect(shoulders.length).toBeGreaterThan(10);
    for (const line of shoulders) {
      const steps = line.slice(1).map(([right], i) => Math.sign(right - (line[i]?.[0] ?? 0)));
      expect(new Set(steps).size, String(line[0])).toBe(1);
    }
  });

  it('has a forehead whose lines end at the strands, not in steps', () => {
    // The ends of lines beside the hair on the brow's right are at the edge of a bundle, to the pixel of a 4K screen.
    const ends = contours
      .filter(([first]) => first && first[1] < 0)
      .flatMap((line) => [line[0], line.at(-1)])
      .filter((end) => end !== undefined);
    expect(ends.length).toBeGreaterThan(20);
    const strands = hair.slice(0, -1);
    const besideStrand = ends.filter(([right, down]) =>
      strands.some((strand) =>
        strand.some(([x, y], i) => {
          const [nextX, nextY] = strand[i + 1] ?? [x, y];
          if (Math.min(y, nextY) > down || Math.max(y, nextY) < down || nextY === y) return false;
          return Math.abs(x + ((nextX - x) * (down - y)) / (nextY - y) - right) < 0.004;
        }),
      ),
    );
    expect(besideStrand.length / ends.length).toBeGreaterThan(0.7);
  });
});

it('draws the figure inside its frame', () => {
  const points = createContourDrawing()
    .lines.split(/[ML]/)
    .slice(1)
    .map((pair) => pair.split(' ').map(Number) as [number, number]);
  expect(points.length).toBeGreaterThan(5000);
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  expect(Math.min(...xs)).toBeGreaterThan(CONTOUR_FRAME.x);
  expect(Math.max(...xs)).toBeLessThan(CONTOUR_FRAME.x + CONTOUR_FRAME.width);
  expect(Math.min(...ys)).toBeGreaterThan(CONTOUR_FRAME.y);
  // The shoulders fade out below the lower edge.
  expect(Math.max(...ys)).toBeLessThan(CONTOUR_FRAME.y + CONTOUR_FRAME.height + 0.25);
});
