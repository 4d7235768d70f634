import type { Host } from './host/host';

/** Milliseconds between heartbeats. The program restarts a page that has sent none for nine times as long. */
const HEARTBEAT_MS = 5000;

/**
 * Sends a heartbeat from the page's main thread, at once and periodically, until the returned function is called.
 * Whatever blocks the page stops the heartbeats. A hidden page says so, because its timers are throttled.
 */
export function startHeartbeat(say: (hidden: boolean) => Promise<void>): () => void {
  // A program that does not answer has ended, and its page with it.
  const once = () => void say(document.hidden).catch(() => {});
  once();
  const timer = setInterval(once, HEARTBEAT_MS);
  document.addEventListener('visibilitychange', once);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', once);
  };
}

/**
 * The same host, with heartbeats that start after the first snapshot was shown: a page without a snapshot is as good
 * as blank.
 */
export function withHeartbeatAfterFirstSnapshot(host: Host, say: (hidden: boolean) => Promise<void>): Host {
  let lives = false;
  const subscribe: Host['subscribe'] = (onSnapshot) =>
    host.subscribe((snapshot) => {
      onSnapshot(snapshot);
      if (!lives) setTimeout(() => startHeartbeat(say));
      lives = true;
    });
  return { ...host, subscribe };
}
