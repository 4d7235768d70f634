import { expect, it } from 'vitest';
import { screens } from '../../fake/fixtures';
import { idleSecondsForScreen, warningSecondsLeft } from './idle-limits';

it('has no limit while an avatar is made or downloaded', () => {
  expect(idleSecondsForScreen(screens.making)).toBeNull();
  expect(idleSecondsForScreen(screens['making-queue'])).toBeNull();
  expect(idleSecondsForScreen(screens['making-unknown'])).toBeNull();
  expect(idleSecondsForScreen(screens.saving)).toBeNull();
  // After a failure nothing is on its way.
  expect(idleSecondsForScreen(screens['making-failed'])).not.toBeNull();
});

it('waits at the QR code for as long as a recording takes', () => {
  expect(idleSecondsForScreen(screens.invite)?.after).toBeGreaterThanOrEqual(300);
});

it('gives at least twenty seconds to answer a warning', () => {
  for (const screen of Object.values(screens)) {
    const limit = idleSecondsForScreen(screen);
    if (limit && !['attract', 'forgetting'].includes(screen.kind))
      expect(limit.warning).toBeGreaterThanOrEqual(20);
  }
});

it('scales with the operator’s setting', () => {
  expect(idleSecondsForScreen(screens.reveal, 30)).toEqual({ after: 30, warning: 30 });
  expect(idleSecondsForScreen(screens.invite, 30)).toEqual({ after: 100, warning: 45 });
  expect(idleSecondsForScreen(screens.invite, 3600)?.after).toBe(12_000);
  expect(idleSecondsForScreen(screens.forgetting, 30)).toBeNull();
  expect(idleSecondsForScreen(screens.forgotten, 3600)).toEqual(idleSecondsForScreen(screens.forgotten));
});

it('counts down the warning', () => {
  const limit = { after: 90, warning: 30 };
  expect(warningSecondsLeft(limit, 89.9)).toBeNull();
  expect(warningSecondsLeft(limit, 90)).toBe(30);
  expect(warningSecondsLeft(limit, 119.5)).toBe(1);
  expect(warningSecondsLeft(limit, 200)).toBe(0);
  expect(warningSecondsLeft(null, 9999)).toBeNull();
});
