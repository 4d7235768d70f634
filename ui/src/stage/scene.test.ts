import { expect, it } from 'vitest';
import { screens } from '../../fake/fixtures';
import { CONTOUR_FRAME, createContourDrawing } from './contour-path';
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
