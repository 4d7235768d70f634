import { clearMocks, mockIPC } from '@tauri-apps/api/mocks';
import { afterEach, expect, it } from 'vitest';
import type { Snapshot } from '../generated/view';
import { screens, snapshotOf } from './fixtures';
import type { Action } from './host';
import { tauriHost } from './tauri';

afterEach(() => clearMocks());

it.each<[Action, string]>([
  ['start', 'start_visit'],
  ['cancel', 'cancel_visit'],
  ['newCode', 'new_code'],
  ['playPhone', 'play_phone'],
  ['again', 'again'],
])('%s is the command %s', async (action, command) => {
  const called: string[] = [];
  mockIPC((name) => {
    called.push(name);
  });
  await tauriHost()[action]();
  expect(called).toEqual([command]);
});

it('follows snapshots over the channel that it hands to the command', async () => {
  let channel: { onmessage(snapshot: Snapshot): void } | undefined;
  mockIPC((name, args) => {
    expect(name).toBe('subscribe');
    channel = (args as { channel: typeof channel }).channel;
  });
  const seen: Snapshot[] = [];
  const stop = await tauriHost().subscribe((snapshot) => seen.push(snapshot));
  channel?.onmessage(snapshotOf(screens.attract, 4));
  expect(seen.map(({ revision }) => revision)).toEqual([4]);
  stop();
  channel?.onmessage(snapshotOf(screens.attract, 5));
  expect(seen.map(({ revision }) => revision)).toEqual([4]);
});
