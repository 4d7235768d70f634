import { expect, it } from 'vitest';
import { screens } from '../../fake/fixtures';
import { idleLimitForScreen, warningSecondsLeft } from './idle-limits';

it('has no limit while an avatar is made or downloaded', () => {
  expect(idleLimitForScreen(screens.making)).toBeNull();
  expect(idleLimitForScreen(screens['making-queue'])).toBeNull();
  expect(idleLimitForScreen(screens['making-unknown'])).toBeNull();
  expect(idleLimitForScreen(screens.saving)).toBeNull();
  // After a failure nothing is on its way.
  expect(idleLimitForScreen(screens['making-failed'])).not.toBeNull();
});

it('waits at the QR code for as long as a recording takes', () => {
  expect(idleLimitForScreen(screens.invite)?.after).toBeGreaterThanOrEqual(300);
});

it('gives at least twenty seconds to answer a warning', () => {
  for (const screen of Object.values(screens)) {
    const limit = idleLimitForScreen(screen);
    // On these screens nothing is lost.
    if (limit && !['attract', 'forgetting', 'pick_up'].includes(screen.kind))
      expect(limit.warning).toBeGreaterThanOrEqual(20);
  }
});

it('scales with the operator’s setting', () => {
  expect(idleLimitForScreen(screens.reveal, 30)).toEqual({ after: 30, warning: 30 });
  expect(idleLimitForScreen(screens.invite, 30)).toEqual({ after: 100, warning: 45 });
  expect(idleLimitForScreen(screens.invite, 3600)?.after).toBe(12_000);
  expect(idleLimitForScreen(screens.forgetting, 30)).toBeNull();
  expect(idleLimitForScreen(screens.forgotten, 3600)).toEqual(idleLimitForScreen(screens.forgotten));
});

it('counts down the warning', () => {
  const limit = { after: 90, warning: 30 };
  expect(warningSecondsLeft(limit, 89.9)).toBeNull();
  expect(warningSecondsLeft(limit, 90)).toBe(30);
  expect(warningSecondsLeft(limit, 119.5)).toBe(1);
  expect(warningSecondsLeft(limit, 200)).toBe(0);
  expect(warningSecondsLeft(null, 9999)).toBeNull();
});

it('leaves the time to read a long consent text', () => {
  const withText = (length: number) => ({ ...screens.consent, texts: { en: 'x'.repeat(length) } });
  expect(idleLimitForScreen(withText(400))?.after).toBe(90);
  expect(idleLimitForScreen(withText(3000))?.after).toBe(300);
  expect(idleLimitForScreen(withText(10_000))?.after).toBe(600);
});
