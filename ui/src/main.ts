import './app.css';
import { mount } from 'svelte';
import { blockBrowserActions, hideIdlePointer } from './guard';
import { withHeartbeatAfterFirstSnapshot } from './heartbeat';
import type { Host } from './host/host';
import { createTauriHost, isInTauri, sendHeartbeat } from './host/tauri';
import PageBoundary from './PageBoundary.svelte';

/**
 * The fake host in a plain browser during development, otherwise the program. A production build drops the fake
 * branch.
 */
async function chooseFakeOrTauriHost(): Promise<{ host: Host; stopHeartbeat: () => void }> {
  if (import.meta.env.MODE === 'fake' || (import.meta.env.DEV && !isInTauri())) {
    const { createFakeHostFromUrl: fakeHostFromAddress } = await import('../fake/host');
    return { host: await fakeHostFromAddress(window.location), stopHeartbeat: () => {} };
  }
  return withHeartbeatAfterFirstSnapshot(createTauriHost(), sendHeartbeat);
}

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
const { host, stopHeartbeat } = await chooseFakeOrTauriHost();
mount(PageBoundary, {
  target,
  props: { host, onfailure: stopHeartbeat, onreload: () => window.location.reload() },
});
if (!import.meta.env.DEV) blockBrowserActions();
hideIdlePointer();
