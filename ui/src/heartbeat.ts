import type { Host } from './host/host';

/** Milliseconds between heartbeats. The program restarts a page that has sent none for nine times as long. */
const HEARTBEAT_MS = 5000;

/**
 * Sends a heartbeat at once and periodically, until the returned function is called. It is sent when a frame is drawn,
 * so a blocked page and a picture that stands still both stop the heartbeats. A hidden page draws nothing: it says so
 * at once.
 */
export function startHeartbeat(say: (hidden: boolean) => Promise<void>): () => void {
  let frame = 0;
  const sayNow = () => {
    frame = 0;
    // A program that does not answer has ended, and its page with it.
    void say(document.hidden).catch(() => {});
  };
  const sayWithNextFrame = () => {
    if (document.hidden) sayNow();
    else if (frame === 0) frame = requestAnimationFrame(sayNow);
  };
  sayWithNextFrame();
  const timer = setInterval(sayWithNextFrame, HEARTBEAT_MS);
  document.addEventListener('visibilitychange', sayWithNextFrame);
  return () => {
    clearInterval(timer);
    cancelAnimationFrame(frame);
    document.removeEventListener('visibilitychange', sayWithNextFrame);
  };
}

/**
 * The same host, with heartbeats that start after the first snapshot was shown: a page without a snapshot is as good
 * as blank. `stopHeartbeat` ends them for good when the page has failed, so that the program reloads it.
 */
export function withHeartbeatAfterFirstSnapshot(
  host: Host,
  say: (hidden: boolean) => Promise<void>,
): { host: Host; stopHeartbeat: () => void } {
  let hasBegun = false;
  let isStopped = false;
  let stop = () => {};
  const begin = () => {
    if (!isStopped) stop = startHeartbeat(say);
  };
  const subscribe: Host['subscribe'] = (onSnapshot) =>
    host.subscribe((snapshot) => {
      onSnapshot(snapshot);
      if (!hasBegun) setTimeout(begin);
      hasBegun = true;
    });
  const stopHeartbeat = () => {
    isStopped = true;
    stop();
  };
  return { host: { ...host, subscribe }, stopHeartbeat };
}
