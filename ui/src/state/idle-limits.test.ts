import { expect, it } from 'vitest';
import { screens } from '../../fake/fixtures';
import { idleLimitFor, warningSecondsLeft } from './idle-limits';

it('has no limit while an avatar is made or downloaded', () => {
  expect(idleLimitFor(screens.making)).toBeNull();
  expect(idleLimitFor(screens['making-queue'])).toBeNull();
  expect(idleLimitFor(screens['making-unknown'])).toBeNull();
  expect(idleLimitFor(screens.saving)).toBeNull();
  // After a failure nothing is on its way.
  expect(idleLimitFor(screens['making-failed'])).not.toBeNull();
});

it('waits at the QR code for as long as a recording takes', () => {
  expect(idleLimitFor(screens.invite)?.after).toBeGreaterThanOrEqual(300);
});

it('gives at least twenty seconds to answer a warning', () => {
  for (const screen of Object.values(screens)) {
    const limit = idleLimitFor(screen);
    if (limit && !['attract', 'forgetting'].includes(screen.kind))
      expect(limit.warning).toBeGreaterThanOrEqual(20);
  }
});

it('scales with the operator’s setting', () => {
  expect(idleLimitFor(screens.reveal, 30)).toEqual({ after: 30, warning: 30 });
  expect(idleLimitFor(screens.invite, 30)).toEqual({ after: 100, warning: 45 });
  expect(idleLimitFor(screens.invite, 3600)?.after).toBe(12_000);
  expect(idleLimitFor(screens.forgetting, 30)).toBeNull();
  expect(idleLimitFor(screens.forgotten, 3600)).toEqual(idleLimitFor(screens.forgotten));
});

it('counts down the warning', () => {
  const limit = { after: 90, warning: 30 };
  expect(warningSecondsLeft(limit, 89.9)).toBeNull();
  expect(warningSecondsLeft(limit, 90)).toBe(30);
  expect(warningSecondsLeft(limit, 119.5)).toBe(1);
  expect(warningSecondsLeft(limit, 200)).toBe(0);
  expect(warningSecondsLeft(null, 9999)).toBeNull();
});
