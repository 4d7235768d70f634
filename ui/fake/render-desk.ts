// The desk in a test: over the scripted program, its door open unless said otherwise.
import { render, screen, waitFor } from '@testing-library/svelte';
import { expect, onTestFinished } from 'vitest';
import Desk from '../src/desk/Desk.svelte';
import type { Section } from '../src/desk/sections';
import { DeskLock } from '../src/state/desk-lock.svelte';
import { FakeDesk } from './desk';

/** What a test holds of it. */
export interface RenderedDesk {
  desk: FakeDesk;
  door: DeskLock;
}

/** What stands on the page by its test id. */
export const byTestId = (id: string) => screen.getByTestId(id);
/** The test id of what has the focus. */
export const focusedTestId = () => document.activeElement?.getAttribute('data-testid');

/** Opens the desk, at a section once the door is open. */
export async function renderDesk(
  prepare: (desk: FakeDesk) => void = () => {},
  section?: Section,
): Promise<RenderedDesk> {
  const desk = new FakeDesk();
  desk.isOpen = true;
  prepare(desk);
  const door = new DeskLock();
  door.openDesk();
  forwardKeysToLock(door);
  render(Desk, { desk, door });
  await waitFor(() => expect(screen.queryByTestId(desk.isOpen ? 'section' : 'pad')).not.toBeNull());
  if (section) {
    byTestId(`section-${section}`).click();
    await waitFor(() => expect(byTestId('section').dataset.section).toBe(section));
  }
  return { desk, door };
}

/** As on the page: the door hears of every key first and last. */
function forwardKeysToLock(door: DeskLock): void {
  const first = () => door.captureEventOwner();
  const last = (event: KeyboardEvent) => door.handleKeydown(event);
  document.addEventListener('keydown', first, true);
  document.addEventListener('keydown', last);
  onTestFinished(() => {
    document.removeEventListener('keydown', first, true);
    document.removeEventListener('keydown', last);
  });
}

/** Presses a key where the focus is. */
export function pressKey(key: string, on: Element = document.activeElement ?? document.body): void {
  on.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
}
