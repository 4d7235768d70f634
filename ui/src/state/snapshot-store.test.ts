import { expect, it } from 'vitest';
import { screens } from '../../fake/fixtures';
import { FakeHost } from '../../fake/host';
import { SnapshotStore } from './snapshot-store.svelte';

async function connected(host: FakeHost): Promise<SnapshotStore> {
  const store = new SnapshotStore(host);
  await store.connect();
  return store;
}

it('names the visit and the revision that a command acts on', async () => {
  const host = new FakeHost(screens.attract);
  const store = await connected(host);
  await store.runAction('startVisit');
  host.showScreen(screens.consent, 4);
  await store.agreeToConsent('We film.');
  host.showScreen(screens.invite, 9);
  await store.runAction('requestNewCode');
  host.showScreen(screens.reveal, 12);
  await store.forgetVisit();
  const { visit } = screens.invite;
  expect(host.targets).toEqual([
    { revision: 0 },
    { revision: 4 },
    { visit, revision: 9 },
    { visit, revision: 12 },
  ]);
});

it('starts another visit whether or not the snapshot of Attract has come', async () => {
  const host = new FakeHost(screens.reveal);
  const store = await connected(host);
  await store.startAnotherVisit();
  expect(host.calledActions).toEqual(['returnToAttract', 'startVisit']);
  expect(host.targets).toEqual([{ visit: screens.reveal.visit, revision: 0 }, undefined]);
});

it('drops a question when its visit is no longer on the screen', async () => {
  const host = new FakeHost(screens.reveal);
  const store = await connected(host);
  store.openQuestion = 'forget';
  host.showScreen({ ...screens.reveal });
  expect(store.openQuestion).toBe('forget');
  host.showScreen({ ...screens.reveal, visit: 'another' });
  expect(store.openQuestion).toBeNull();
  store.openQuestion = 'leave';
  host.showScreen(screens.attract);
  expect(store.openQuestion).toBeNull();
});
