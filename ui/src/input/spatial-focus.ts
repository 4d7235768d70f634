// Moves the DOM focus by direction.

export type Direction = 'up' | 'down' | 'left' | 'right';

/** A rectangle on the screen, in CSS pixels. */
export interface ScreenRect {
  left: number;
  top: number;
  width: number;
  height: number;
}

/**
 * The index of the nearest rectangle in a direction, or -1. Left and right prefer the same row over a nearer one
 * above or below.
 */
export function nearestRectIndexInDirection(
  from: ScreenRect,
  others: readonly ScreenRect[],
  direction: Direction,
): number {
  const [fx, fy] = centerOfRect(from);
  const sideways = direction === 'left' || direction === 'right';
  let best = -1;
  let bestCost = Number.POSITIVE_INFINITY;
  others.forEach((box, index) => {
    const [x, y] = centerOfRect(box);
    const [ahead, aside] = {
      right: [x - fx, y - fy],
      left: [fx - x, y - fy],
      down: [y - fy, x - fx],
      up: [fy - y, x - fx],
    }[direction] as [number, number];
    if (ahead <= 1) return;
    // Distance across counts more than distance ahead.
    const cost = ahead + 2 * Math.abs(aside) + (sideways && !isInSameRow(from, box) ? OTHER_ROW_PENALTY : 0);
    if (cost < bestCost) [best, bestCost] = [index, cost];
  });
  return best;
}

/** More than any screen is wide. */
const OTHER_ROW_PENALTY = 1e6;

const FOCUSABLE_SELECTOR =
  'button:not(:disabled), input:not(:disabled), textarea:not(:disabled), [href], [tabindex="0"]';

/** The selected member of a group. */
export const SELECTED_SELECTOR = '[aria-pressed=true], [aria-checked=true], [aria-selected=true]';

/** Every element in `root` that can be focused. */
export function focusableElements(root: ParentNode): HTMLElement[] {
  return [...root.querySelectorAll<HTMLElement>(FOCUSABLE_SELECTOR)].filter(
    (el) => !el.closest('[inert], [hidden]'),
  );
}

/** Moves the focus within `root`. Returns false when nothing lies in that direction. */
export function moveFocus(root: ParentNode, direction: Direction): boolean {
  const all = focusableElements(root);
  const active = all.find((el) => el === document.activeElement);
  if (!active) return focusPrimaryActionOrFirst(root);
  const others = all.filter((el) => el !== active);
  const target =
    others[
      nearestRectIndexInDirection(
        focusMoveOrigin(active),
        others.map((el) => el.getBoundingClientRect()),
        direction,
      )
    ];
  const group = target?.closest('[role=group], [data-rove]');
  // Entering a group focuses its selected member.
  const chosen = group?.contains(active) ? null : group?.querySelector<HTMLElement>(SELECTED_SELECTOR);
  (chosen ?? target)?.focus();
  return target !== undefined;
}

/** Scrolls the focused text. Returns false at its end and where there is nothing to scroll. */
export function scrollFocusedText(active: Element | null, direction: Direction): boolean {
  if (!active?.matches('[data-scrolls]') || direction === 'left' || direction === 'right') return false;
  const { scrollTop, scrollHeight, clientHeight } = active;
  const left = direction === 'down' ? scrollHeight - clientHeight - scrollTop : scrollTop;
  // Sizes are rounded to a pixel.
  if (left <= 2) return false;
  active.scrollTop += (direction === 'down' ? 1 : -1) * Math.min(left, clientHeight * 0.6);
  return true;
}

/** Focuses the primary action, else the first focusable element. Returns false when there is neither. */
export function focusPrimaryActionOrFirst(root: ParentNode): boolean {
  const target = root.querySelector<HTMLElement>('[data-primary]') ?? focusableElements(root)[0];
  target?.focus({ preventScroll: true });
  return target !== undefined;
}

/** Focuses the primary action if the focus was lost: it is not within `root`. */
export function focusPrimaryActionIfFocusLost(root: ParentNode): void {
  const active = document.activeElement;
  if (active instanceof HTMLElement && active !== document.body && root.contains(active)) return;
  focusPrimaryActionOrFirst(root);
}

/** From where a move starts. A text counts from the start of its lines, so that its first button is the nearest. */
function focusMoveOrigin(active: HTMLElement): ScreenRect {
  const box = active.getBoundingClientRect();
  if (!active.matches('[data-scrolls]')) return box;
  const mirrored = getComputedStyle(active).direction === 'rtl';
  return { left: mirrored ? box.right : box.left, top: box.top, width: 0, height: box.height };
}

/** Whether two rectangles overlap vertically. */
function isInSameRow(one: ScreenRect, other: ScreenRect): boolean {
  return one.top < other.top + other.height && other.top < one.top + one.height;
}

/** The centre of a rectangle, as x and y. */
function centerOfRect(box: ScreenRect): [number, number] {
  return [box.left + box.width / 2, box.top + box.height / 2];
}
