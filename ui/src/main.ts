import './app.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { guard, quietPointer } from './guard';
import { living } from './heartbeat';
import type { Host } from './host/host';
import { inTauri, sayAlive, tauriHost } from './host/tauri';

// The scripted host is for a plain browser during development: a production build drops this branch.
async function chooseHost(): Promise<Host> {
  if (import.meta.env.MODE === 'fake' || (import.meta.env.DEV && !inTauri())) {
    const { fakeHostFromAddress } = await import('../fake/host');
    return fakeHostFromAddress(window.location);
  }
  return living(tauriHost(), sayAlive);
}

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
const host = await chooseHost();
mount(App, { target, props: { host } });
if (!import.meta.env.DEV) guard();
quietPointer();
