// Blocks what the keys, mouse and fingers of a stranger would do to a web page in a browser.
import { PointerMovementDetector } from './input/pointer-movement';

/** Milliseconds without movement after which the pointer is hidden. */
const POINTER_IDLE_MS = 3000;

/** Keys that browsers act on without a modifier. F9 and F10 are the kiosk's own. */
const BROWSER_KEYS = new Set([
  'F1',
  'F3',
  'F5',
  'F6',
  'F7',
  'F11',
  'F12',
  'BrowserBack',
  'BrowserForward',
  'BrowserRefresh',
  'BrowserSearch',
  'BrowserHome',
  'BrowserFavorites',
]);
/** With Ctrl (Cmd on macOS): reload, print, find, save, open, source, zoom, history, tabs, address, tools. */
const CTRL_KEYS = new Set([...'rpfgsounthjldwek+-=0123456789_']);
/** With Ctrl and Shift: tools, private windows, reload without the cache. */
const CTRL_SHIFT_KEYS = new Set([...'ijcnrtpbdm']);

/** Whether a browser would act on this key. Editing and copying stay allowed: the operator types here too. */
export function isBrowserShortcut(event: {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}): boolean {
  if (BROWSER_KEYS.has(event.key)) return true;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey)
    return CTRL_KEYS.has(key) || (event.shiftKey && CTRL_SHIFT_KEYS.has(key));
  return event.altKey && (key === 'arrowleft' || key === 'arrowright' || key === 'home');
}

/**
 * Blocks browser shortcuts, zoom, history buttons, the context menu, and drag and drop until the returned function
 * is called.
 */
export function blockBrowserActions(within: Window = window): () => void {
  const stop = (event: Event) => event.preventDefault();
  const keys = (event: KeyboardEvent) => isBrowserShortcut(event) && event.preventDefault();
  const zoom = (event: WheelEvent) => (event.ctrlKey || event.metaKey) && event.preventDefault();
  // The back and forward buttons of a mouse. WebKitGTK reports them by mouse events that it synthesises.
  const sides = (event: MouseEvent) => event.button > 2 && event.preventDefault();
  const pinch = (event: TouchEvent) => event.touches.length > 1 && event.preventDefault();
  const over = new AbortController();
  const on = { capture: true, passive: false, signal: over.signal };
  within.addEventListener('keydown', keys, on);
  within.addEventListener('wheel', zoom, on);
  within.addEventListener('mousedown', sides, on);
  within.addEventListener('mouseup', sides, on);
  within.addEventListener('touchstart', pinch, on);
  within.addEventListener('touchmove', pinch, on);
  // WebKit reports a pinch on a trackpad by `gesture…` events.
  for (const kind of [
    'contextmenu',
    'dragstart',
    'dragover',
    'drop',
    'gesturestart',
    'gesturechange',
    'auxclick',
  ]) {
    within.addEventListener(kind, stop, on);
  }
  return () => over.abort();
}

/** Hides the pointer while it does not move, until the returned function is called. */
export function hideIdlePointer(within: Window = window): () => void {
  const root = within.document.documentElement;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const movement = new PointerMovementDetector();
  const hide = () => root.toggleAttribute('data-pointer-rests', true);
  const moved = (event: PointerEvent) => {
    if (!movement.hasMoved(event)) return;
    root.toggleAttribute('data-pointer-rests', false);
    clearTimeout(timer);
    timer = setTimeout(hide, POINTER_IDLE_MS);
  };
  const end = () => {
    clearTimeout(timer);
    within.removeEventListener('pointermove', moved, true);
    root.toggleAttribute('data-pointer-rests', false);
  };
  timer = setTimeout(hide, POINTER_IDLE_MS);
  within.addEventListener('pointermove', moved, true);
  return end;
}
