import './app.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { blockBrowserActions, hideIdlePointer } from './guard';
import { withHeartbeatAfterFirstSnapshot } from './heartbeat';
import type { Host } from './host/host';
import { createTauriHost, isInTauri, sendHeartbeat } from './host/tauri';

// The fake host serves a plain browser during development. A production build drops this branch.
/**
 * The fake host in a plain browser during development, otherwise the program. A production build drops the fake
 * branch.
 */
async function chooseHost(): Promise<Host> {
  if (import.meta.env.MODE === 'fake' || (import.meta.env.DEV && !isInTauri())) {
    const { createFakeHostFromUrl: fakeHostFromAddress } = await import('../fake/host');
    return fakeHostFromAddress(window.location);
  }
  return withHeartbeatAfterFirstSnapshot(createTauriHost(), sendHeartbeat);
}

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
const host = await chooseHost();
mount(App, { target, props: { host } });
if (!import.meta.env.DEV) blockBrowserActions();
hideIdlePointer();
