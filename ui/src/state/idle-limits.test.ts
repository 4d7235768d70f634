import { expect, it } from 'vitest';
import { screens } from '../../fake/fixtures';
import { limitOf, warningLeft } from './idle-limits';

it('never gives up a screen while an avatar is made or fetched', () => {
  expect(limitOf(screens.making)).toBeNull();
  expect(limitOf(screens['making-queue'])).toBeNull();
  expect(limitOf(screens['making-unknown'])).toBeNull();
  expect(limitOf(screens.saving)).toBeNull();
  // Nothing is on its way when it failed.
  expect(limitOf(screens['making-failed'])).not.toBeNull();
});

it('waits at the code for as long as a recording takes', () => {
  expect(limitOf(screens.invite)?.after).toBeGreaterThanOrEqual(300);
});

it('gives at least twenty seconds to answer a warning', () => {
  for (const screen of Object.values(screens)) {
    const limit = limitOf(screen);
    if (limit && !['attract', 'forgetting'].includes(screen.kind))
      expect(limit.warning).toBeGreaterThanOrEqual(20);
  }
});

it('waits as long as the operator says, and the other screens in proportion', () => {
  expect(limitOf(screens.reveal, 30)).toEqual({ after: 30, warning: 30 });
  expect(limitOf(screens.invite, 30)).toEqual({ after: 100, warning: 45 });
  expect(limitOf(screens.invite, 3600)?.after).toBe(12_000);
  expect(limitOf(screens.forgetting, 30)).toBeNull();
  expect(limitOf(screens.forgotten, 3600)).toEqual(limitOf(screens.forgotten));
});

it('counts the warning down', () => {
  const limit = { after: 90, warning: 30 };
  expect(warningLeft(limit, 89.9)).toBeNull();
  expect(warningLeft(limit, 90)).toBe(30);
  expect(warningLeft(limit, 119.5)).toBe(1);
  expect(warningLeft(limit, 200)).toBe(0);
  expect(warningLeft(null, 9999)).toBeNull();
});
