import { clearMocks, mockIPC } from '@tauri-apps/api/mocks';
import { afterEach, describe, expect, it } from 'vitest';
import type { Snapshot } from '../generated/view';
import type { Desk } from './desk';
import { screens, snapshotOf } from '../../fake/fixtures';
import type { Action } from './host';
import { tauriHost } from './tauri';

afterEach(() => clearMocks());

it.each<[Exclude<Action, 'agree'>, string]>([
  ['start', 'start_visit'],
  ['cancel', 'cancel_visit'],
  ['newCode', 'new_code'],
  ['playPhone', 'play_phone'],
  ['again', 'again'],
  ['forget', 'forget'],
])('%s is the command %s', async (action, command) => {
  const called: string[] = [];
  mockIPC((name) => {
    called.push(name);
  });
  await tauriHost()[action]();
  expect(called).toEqual([command]);
});

it('tells the program what was agreed to', async () => {
  const called: unknown[] = [];
  mockIPC((name, args) => {
    called.push([name, args]);
  });
  await tauriHost().agree('We film.');
  expect(called).toEqual([['agree', { to: 'We film.' }]]);
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

const ask = { most_tokens: 2, wrong_requests: true, with_phone: false, despite_visits: false };

describe('the desk', () => {
  it.each<[string, (desk: Desk) => Promise<unknown>, string, object]>([
    ['gate', (desk) => desk.gate(), 'panel_gate', {}],
    ['enter', (desk) => desk.enter('1234'), 'panel_enter', { pin: '1234' }],
    ['setFirstPin', (desk) => desk.setFirstPin('1234'), 'panel_set_first_pin', { pin: '1234' }],
    ['panel', (desk) => desk.panel(), 'panel', {}],
    ['act', (desk) => desk.act({ kind: 'lock' }), 'panel_act', { act: { kind: 'lock' } }],
    ['health', (desk) => desk.health(), 'panel_health', {}],
    ['history', (desk) => desk.history(), 'panel_history', {}],
    ['saveHar', (desk) => desk.saveHar('v'), 'save_har', { visit: 'v' }],
    ['planChecks', (desk) => desk.planChecks(ask), 'plan_checks', { ask }],
    ['startChecks', (desk) => desk.startChecks(ask), 'start_checks', { ask }],
    ['stopChecks', (desk) => desk.stopChecks(), 'stop_checks', {}],
    ['skipCheck', (desk) => desk.skipCheck(), 'skip_check', {}],
    ['saveReport', (desk) => desk.saveReport(), 'save_report', {}],
  ])('%s is its command', async (_, call, command, args) => {
    const called: unknown[] = [];
    mockIPC((name, given) => {
      called.push([name, given]);
    });
    await call(tauriHost().desk);
    expect(called).toEqual([[command, args]]);
  });

  it('follows inspector and checks over channels, until it is told to stop', async () => {
    const called: [string, { channel: { onmessage(view: unknown): void }; visit?: string | null }][] = [];
    mockIPC((name, args) => {
      called.push([name, args as (typeof called)[number][1]]);
    });
    const { desk } = tauriHost();
    const seen: unknown[] = [];
    const stop = await desk.inspect(null, (view) => seen.push(view));
    await desk.followChecks((view) => seen.push(view));
    const [inspect, checks] = called;
    expect([inspect?.[0], inspect?.[1].visit, checks?.[0]]).toEqual(['inspect', null, 'follow_checks']);
    inspect?.[1].channel.onmessage('a time line');
    checks?.[1].channel.onmessage('checks');
    stop();
    inspect?.[1].channel.onmessage('too late');
    expect(seen).toEqual(['a time line', 'checks']);
  });
});
