// Any key, any click: for screens that the next press leaves, whatever it is.

// Keys that a person does not press to go on, those that move the focus among them.
const IGNORED_KEYS =
  /^(Escape|Tab|Arrow.*|Shift|Control|Alt|AltGraph|Meta|CapsLock|NumLock|ScrollLock|F\d+|Audio.*|Media.*|Brightness.*|Unidentified|Dead|Process)$/;

/** Whether a key or a click means "go on" on a screen that stands since `born` (as `performance.now()` tells it). */
export function meansContinue(event: KeyboardEvent | MouseEvent, born: number): boolean {
  // What was pressed before the screen stood here was not meant for it.
  if (event.timeStamp < born) return false;
  // The second half of a double click on the screen before is nobody's wish.
  if (event instanceof MouseEvent) return event.detail <= 1 && !isOwnTarget(event);
  if ((event.key === 'Enter' || event.key === ' ') && isOwnTarget(event)) return false;
  return !(event.repeat || event.ctrlKey || event.altKey || event.metaKey || IGNORED_KEYS.test(event.key));
}

// What has a meaning of its own wherever it stands.
function isOwnTarget(event: Event): boolean {
  return event.target instanceof Element && event.target.closest('[data-own]') !== null;
}
