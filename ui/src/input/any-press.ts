// Any key and any click, for screens that any press leaves.

// Keys that do not count as a press to continue, such as those that move the focus.
const IGNORED_KEYS =
  /^(Escape|Tab|Arrow.*|Shift|Control|Alt|AltGraph|Meta|CapsLock|NumLock|ScrollLock|F\d+|Audio.*|Media.*|Brightness.*|Unidentified|Dead|Process)$/;

/** Whether a key or click means "continue" on a screen that is shown since `born` (in `performance.now()` time). */
export function isContinuePress(event: KeyboardEvent | MouseEvent, born: number): boolean {
  // Pressed before this screen was shown.
  if (event.timeStamp < born) return false;
  // The second half of a double click on the screen before does not count.
  if (event instanceof MouseEvent) return event.detail <= 1 && !hasOwnPressAction(event);
  if ((event.key === 'Enter' || event.key === ' ') && hasOwnPressAction(event)) return false;
  return !(event.repeat || event.ctrlKey || event.altKey || event.metaKey || IGNORED_KEYS.test(event.key));
}

/** Whether an event's target is inside a control with `data-own`, which handles its own presses. */
function hasOwnPressAction(event: Event): boolean {
  return event.target instanceof Element && event.target.closest('[data-own]') !== null;
}
