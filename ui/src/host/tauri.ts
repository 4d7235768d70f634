// The one file that touches Tauri.
import { Channel, invoke, isTauri } from '@tauri-apps/api/core';
import type { Snapshot } from '../generated/view';
import type { Host } from './host';

/** Whether the page runs in the program's window. */
export const inTauri = isTauri;

/** The program behind the window. */
export function tauriHost(): Host {
  return {
    async subscribe(onSnapshot) {
      const channel = new Channel<Snapshot>(onSnapshot);
      await invoke('subscribe', { channel });
      return () => {
        channel.onmessage = () => {};
      };
    },
    start: () => invoke('start_visit'),
    cancel: () => invoke('cancel_visit'),
    newCode: () => invoke('new_code'),
    playPhone: () => invoke('play_phone'),
    again: () => invoke('again'),
  };
}
