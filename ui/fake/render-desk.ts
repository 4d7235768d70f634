// The desk in a test: over the scripted program, its door open unless said otherwise.
import { render, screen, waitFor } from '@testing-library/svelte';
import { expect, onTestFinished } from 'vitest';
import { FakeDesk } from './desk';
import Desk from '../src/desk/Desk.svelte';
import { Door } from '../src/state/desk-lock.svelte';
import type { Section } from '../src/desk/sections';

/** What a test holds of it. */
export interface Opened {
  desk: FakeDesk;
  door: Door;
}

/** What stands on the page by its test id. */
export const at = (id: string) => screen.getByTestId(id);
/** The test id of what has the focus. */
export const focused = () => document.activeElement?.getAttribute('data-testid');

/** Opens the desk, at a section once the door is open. */
export async function openDesk(
  prepare: (desk: FakeDesk) => void = () => {},
  section?: Section,
): Promise<Opened> {
  const desk = new FakeDesk();
  desk.open = true;
  prepare(desk);
  const door = new Door();
  door.enter();
  hear(door);
  render(Desk, { desk, door });
  await waitFor(() => expect(screen.queryByTestId(desk.open ? 'section' : 'pad')).not.toBeNull());
  if (section) {
    at(`section-${section}`).click();
    await waitFor(() => expect(at('section').dataset.section).toBe(section));
  }
  return { desk, door };
}

/** As on the page: the door hears of every key first and last. */
function hear(door: Door): void {
  const first = () => door.capture();
  const last = (event: KeyboardEvent) => door.keydown(event);
  document.addEventListener('keydown', first, true);
  document.addEventListener('keydown', last);
  onTestFinished(() => {
    document.removeEventListener('keydown', first, true);
    document.removeEventListener('keydown', last);
  });
}

/** Presses a key where the focus is. */
export function press(key: string, on: Element = document.activeElement ?? document.body): void {
  on.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
}
