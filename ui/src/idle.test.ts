import { expect, it } from 'vitest';
import { screens } from './host/fixtures';
import { limitOf, warningLeft } from './idle';

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
    if (limit && screen.kind !== 'attract') expect(limit.warning).toBeGreaterThanOrEqual(20);
  }
});

it('counts the warning down', () => {
  const limit = { after: 90, warning: 30 };
  expect(warningLeft(limit, 89.9)).toBeNull();
  expect(warningLeft(limit, 90)).toBe(30);
  expect(warningLeft(limit, 119.5)).toBe(1);
  expect(warningLeft(limit, 200)).toBe(0);
  expect(warningLeft(null, 9999)).toBeNull();
});
