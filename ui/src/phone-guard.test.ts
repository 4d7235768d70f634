// The script that the program runs in the window with the sandbox's phone page.
import { beforeAll, expect, it } from 'vitest';
import script from '../../src-tauri/src/window/phone-guard.js?raw';

beforeAll(() => new Function(script)());

/** Whether the default action was prevented. */
function isPrevented(event: Event, target: EventTarget = document.body): boolean {
  target.dispatchEvent(event);
  return event.defaultPrevented;
}

const bubbling = { bubbles: true, cancelable: true };
const press = (key: string, modifiers: KeyboardEventInit = {}) =>
  new KeyboardEvent('keydown', { key, ...modifiers, ...bubbling });

it.each([
  ['p', { ctrlKey: true }],
  ['s', { ctrlKey: true }],
  ['o', { metaKey: true }],
  ['ArrowLeft', { altKey: true }],
  ['F5', {}],
  ['F12', {}],
  ['ContextMenu', {}],
  ['BrowserBack', {}],
])('blocks the key %s with %o', (key, modifiers) => expect(isPrevented(press(key, modifiers))).toBe(true));

it.each(['Tab', 'Enter', ' ', 'ArrowDown', 'F', 'a'])('leaves the key %s to the page', (key) =>
  expect(isPrevented(press(key))).toBe(false),
);

it.each(['contextmenu', 'selectstart', 'dragover', 'drop', 'auxclick'])('blocks %s', (kind) =>
  expect(isPrevented(new Event(kind, bubbling))).toBe(true),
);

it('opens no chooser of files, also when the page clicks on its field', () => {
  const field = document.createElement('input');
  const button = document.createElement('button');
  document.body.append(field, button);
  const clicked = () => new MouseEvent('click', bubbling);
  expect(isPrevented(clicked(), field)).toBe(false);
  field.type = 'file';
  expect(isPrevented(clicked(), field)).toBe(true);
  expect(isPrevented(clicked(), button)).toBe(false);
});
