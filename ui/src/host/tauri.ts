// The one file that touches Tauri.
import { Channel, invoke, isTauri } from '@tauri-apps/api/core';
import type { ChecksView, InspectorView, Snapshot } from '../generated/view';
import type { Close, Desk } from './desk';
import type { Host } from './host';

/** Whether the page runs in the program's window. */
export const inTauri = isTauri;

/** Tells the program that the page lives, and whether it is hidden. */
export const sayAlive = (hidden: boolean): Promise<void> => invoke('alive', { hidden });

/** The program behind the window. */
export function tauriHost(): Host {
  return {
    subscribe: (onSnapshot) => follow<Snapshot>('subscribe', {}, onSnapshot),
    start: () => invoke('start_visit'),
    agree: (to) => invoke('agree', { to }),
    cancel: () => invoke('cancel_visit'),
    newCode: () => invoke('new_code'),
    playPhone: () => invoke('play_phone'),
    again: () => invoke('again'),
    forget: () => invoke('forget'),
    desk: tauriDesk(),
  };
}

function tauriDesk(): Desk {
  return {
    gate: () => invoke('panel_gate'),
    enter: (pin) => invoke('panel_enter', { pin }),
    setFirstPin: (pin) => invoke('panel_set_first_pin', { pin }),
    panel: () => invoke('panel'),
    act: (act) => invoke('panel_act', { act }),
    health: () => invoke('panel_health'),
    history: () => invoke('panel_history'),
    inspect: (visit, onView) => follow<InspectorView>('inspect', { visit }, onView),
    saveHar: (visit) => invoke('save_har', { visit }),
    followChecks: (onView) => follow<ChecksView>('follow_checks', {}, onView),
    planChecks: (ask) => invoke('plan_checks', { ask }),
    startChecks: (ask) => invoke('start_checks', { ask }),
    stopChecks: () => invoke('stop_checks'),
    skipCheck: () => invoke('skip_check'),
    saveReport: () => invoke('save_report'),
  };
}

/** Follows what a command sends over the channel that it is given. */
async function follow<T>(
  command: string,
  args: Record<string, unknown>,
  onMessage: (message: T) => void,
): Promise<Close> {
  const channel = new Channel<T>(onMessage);
  await invoke(command, { ...args, channel });
  return () => {
    channel.onmessage = () => {};
  };
}
