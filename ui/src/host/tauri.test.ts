import { clearMocks, mockIPC } from '@tauri-apps/api/mocks';
import { afterEach, describe, expect, it } from 'vitest';
import { createSnapshot, screens } from '../../fake/fixtures';
import type { Snapshot } from '../generated/view';
import type { DeskHost } from './desk';
import type { HostActionWithoutArguments } from './host';
import { createTauriHost } from './tauri';

afterEach(() => clearMocks());

it.each<[HostActionWithoutArguments, string]>([
  ['startVisit', 'start_visit'],
  ['cancelVisit', 'cancel_visit'],
  ['requestNewCode', 'request_new_qr_code'],
  ['simulatePhone', 'open_sandbox_phone'],
  ['recordWithSandbox', 'record_avatar_with_sandbox'],
  ['returnToAttract', 'return_to_attract'],
  ['forgetVisit', 'forget_visit'],
  ['handOverVisit', 'continue_visit_as_ticket'],
])('%s is the command %s', async (action, command) => {
  const called: unknown[] = [];
  mockIPC((name, args) => {
    called.push([name, args]);
  });
  const host = createTauriHost();
  await host[action]();
  await host[action]({ visit: 'v', revision: 7 });
  expect(called).toEqual([
    [command, {}],
    [command, { visit: 'v', revision: 7 }],
  ]);
});

it('sends the text that was agreed to', async () => {
  const called: unknown[] = [];
  mockIPC((name, args) => {
    called.push([name, args]);
  });
  await createTauriHost().agreeToConsent('We film.', { revision: 3 });
  expect(called).toEqual([['agree_to_consent', { to: 'We film.', revision: 3 }]]);
});

it('sends the chosen ticket and its code', async () => {
  const called: unknown[] = [];
  mockIPC((name, args) => {
    called.push([name, args]);
  });
  const host = createTauriHost();
  await host.chooseTicket('v', { revision: 3 });
  await host.enterPickupCode('0417', { visit: 'v', revision: 4 });
  expect(called).toEqual([
    ['show_ticket_code_entry', { ticket: 'v', revision: 3 }],
    ['enter_pickup_code', { code: '0417', visit: 'v', revision: 4 }],
  ]);
});

it('receives snapshots over the channel of the command', async () => {
  let channel: { onmessage(snapshot: Snapshot): void } | undefined;
  mockIPC((name, args) => {
    expect(name).toBe('subscribe');
    channel = (args as { channel: typeof channel }).channel;
  });
  const seen: Snapshot[] = [];
  const stop = await createTauriHost().subscribe((snapshot) => seen.push(snapshot));
  channel?.onmessage(createSnapshot(screens.attract, 4));
  expect(seen.map(({ revision }) => revision)).toEqual([4]);
  stop();
  channel?.onmessage(createSnapshot(screens.attract, 5));
  expect(seen.map(({ revision }) => revision)).toEqual([4]);
});

const ask = { most_tokens: 2, wrong_requests: true, with_phone: false, despite_visits: false };

describe('the desk', () => {
  it.each<[string, (desk: DeskHost) => Promise<unknown>, string, object]>([
    ['readLock', (desk) => desk.readLock(), 'read_panel_pin_lock', {}],
    ['enterPin', (desk) => desk.enterPin('1234'), 'try_panel_pin', { pin: '1234' }],
    ['setFirstPin', (desk) => desk.setFirstPin('1234'), 'panel_set_first_pin', { pin: '1234' }],
    ['readPanel', (desk) => desk.readPanel(), 'read_panel', {}],
    [
      'runPanelAction',
      (desk) => desk.runPanelAction({ kind: 'lock' }),
      'run_panel_action',
      { act: { kind: 'lock' } },
    ],
    ['checkHealth', (desk) => desk.checkHealth(), 'panel_health', {}],
    ['listPastVisits', (desk) => desk.listPastVisits(), 'panel_history', {}],
    ['saveHar', (desk) => desk.saveHar('v'), 'save_har', { visit: 'v' }],
    ['planBackendChecks', (desk) => desk.planBackendChecks(ask), 'plan_backend_checks', { ask }],
    ['startBackendChecks', (desk) => desk.startBackendChecks(ask), 'start_backend_checks', { ask }],
    ['stopBackendChecks', (desk) => desk.stopBackendChecks(), 'stop_backend_checks', {}],
    ['skipCheck', (desk) => desk.skipCheck(), 'skip_check_waiting_for_phone', {}],
    ['saveReport', (desk) => desk.saveReport(), 'save_report', {}],
  ])('%s is its command', async (_, call, command, args) => {
    const called: unknown[] = [];
    mockIPC((name, given) => {
      called.push([name, given]);
    });
    await call(createTauriHost().desk);
    expect(called).toEqual([[command, args]]);
  });

  it('follows inspector and checks over channels until it is stopped', async () => {
    const called: [string, { channel: { onmessage(view: unknown): void }; visit?: string | null }][] = [];
    mockIPC((name, args) => {
      called.push([name, args as (typeof called)[number][1]]);
    });
    const { desk } = createTauriHost();
    const seen: unknown[] = [];
    const stop = await desk.followVisit(null, (view) => seen.push(view));
    await desk.followBackendChecks((view) => seen.push(view));
    const [inspect, checks] = called;
    expect([inspect?.[0], inspect?.[1].visit, checks?.[0]]).toEqual([
      'subscribe_to_inspector',
      null,
      'follow_backend_checks',
    ]);
    inspect?.[1].channel.onmessage('a time line');
    checks?.[1].channel.onmessage('checks');
    stop();
    inspect?.[1].channel.onmessage('too late');
    expect(seen).toEqual(['a time line', 'checks']);
  });
});
