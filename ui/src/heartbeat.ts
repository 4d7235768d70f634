import type { Host } from './host/host';

/** How often the page says that it lives. The program takes one that says nothing for nine times as long for dead. */
const HEARTBEAT_MS = 5000;

/**
 * Says from the page's own main thread that it lives, at once and from then on: what freezes the page, silences this.
 * A hidden page says that it is hidden, because its timers sleep. The answer ends it.
 */
export function startHeartbeat(say: (hidden: boolean) => Promise<void>): () => void {
  // A program that does not answer has ended, and the page with it.
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
 * The same host, whose page lives from the first snapshot that it has shown: one that shows nothing of the program is as
 * good as blank.
 */
export function withHeartbeat(host: Host, say: (hidden: boolean) => Promise<void>): Host {
  let lives = false;
  const subscribe: Host['subscribe'] = (onSnapshot) =>
    host.subscribe((snapshot) => {
      onSnapshot(snapshot);
      if (!lives) setTimeout(() => startHeartbeat(say));
      lives = true;
    });
  return { ...host, subscribe };
}
