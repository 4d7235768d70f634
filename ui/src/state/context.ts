// What components get from the component above them instead of from props: typed Svelte contexts.
import { createContext } from 'svelte';
import type { Host } from '../host/host';
import type { DeskOverlay } from './desk-overlay.svelte';
import type { DeskStore } from './desk-store.svelte';
import type { LanguageStore } from './language-store.svelte';
import type { SnapshotStore } from './snapshot-store.svelte';

/** The program behind the window. Set by `App`. */
export const [getHost, setHost] = createContext<Host>();
/** The newest snapshot and the visitor's actions. Set by `App`. */
export const [getSnapshotStore, setSnapshotStore] = createContext<SnapshotStore>();
/** The language of the screens. Set by `App`. */
export const [getLanguage, setLanguage] = createContext<LanguageStore>();
/** Whether the operator's desk lies over the stage. Set by `App`. */
export const [getDeskLock, setDeskLock] = createContext<DeskOverlay>();
/** The state of the operator's desk. Set by `Desk`. */
export const [getDeskStore, setDeskStore] = createContext<DeskStore>();
