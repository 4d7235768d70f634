// The only file that uses Tauri.
import { Channel, invoke, isTauri } from '@tauri-apps/api/core';
import type { ChecksView, InspectorView, Snapshot } from '../generated/view';
import type { DeskHost, Unsubscribe } from './desk';
import type { Host } from './host';

/** Whether the page runs in the program's window. */
export const isInTauri = isTauri;

/** Tells the program that the page is alive, and whether it is hidden. */
export const sendHeartbeat = (hidden: boolean): Promise<void> => invoke('receive_heartbeat', { hidden });

/** Creates the host that reaches the program behind the window through Tauri commands. */
export function createTauriHost(): Host {
  return {
    subscribe: (onSnapshot) => invokeAndSubscribeToMessages<Snapshot>('subscribe', {}, onSnapshot),
    startVisit: (target) => invoke('start_visit', { ...target }),
    agreeToConsent: (to, target) => invoke('agree_to_consent', { to, ...target }),
    cancelVisit: (target) => invoke('cancel_visit', { ...target }),
    requestNewCode: (target) => invoke('request_new_qr_code', { ...target }),
    simulatePhone: (target) => invoke('open_sandbox_phone', { ...target }),
    recordWithSandbox: (target) => invoke('record_avatar_with_sandbox', { ...target }),
    returnToAttract: (target) => invoke('return_to_attract', { ...target }),
    forgetVisit: (target) => invoke('forget_visit', { ...target }),
    handOverVisit: (target) => invoke('continue_visit_as_ticket', { ...target }),
    chooseTicket: (ticket, target) => invoke('show_ticket_code_entry', { ticket, ...target }),
    enterPickupCode: (code, target) => invoke('enter_pickup_code', { code, ...target }),
    desk: createTauriDeskHost(),
  };
}

/** The desk's access to the program, through Tauri commands. */
function createTauriDeskHost(): DeskHost {
  return {
    readLock: () => invoke('read_panel_pin_lock'),
    enterPin: (pin) => invoke('try_panel_pin', { pin }),
    setFirstPin: (pin) => invoke('panel_set_first_pin', { pin }),
    readPanel: () => invoke('read_panel'),
    runPanelAction: (act) => invoke('run_panel_action', { act }),
    checkHealth: () => invoke('panel_health'),
    listPastVisits: () => invoke('panel_history'),
    followVisit: (visit, onView) =>
      invokeAndSubscribeToMessages<InspectorView>('subscribe_to_inspector', { visit }, onView),
    saveHar: (visit) => invoke('save_har', { visit }),
    followBackendChecks: (onView) =>
      invokeAndSubscribeToMessages<ChecksView>('follow_backend_checks', {}, onView),
    planBackendChecks: (ask) => invoke('plan_backend_checks', { ask }),
    startBackendChecks: (ask) => invoke('start_backend_checks', { ask }),
    stopBackendChecks: () => invoke('stop_backend_checks'),
    skipCheck: () => invoke('skip_check_waiting_for_phone'),
    saveReport: () => invoke('save_report'),
  };
}

/**
 * Invokes a command and subscribes to the messages that it sends over its channel. Returns the function that
 * unsubscribes.
 */
async function invokeAndSubscribeToMessages<T>(
  command: string,
  args: Record<string, unknown>,
  onMessage: (message: T) => void,
): Promise<Unsubscribe> {
  const channel = new Channel<T>(onMessage);
  await invoke(command, { ...args, channel });
  return () => {
    channel.onmessage = () => {};
  };
}
