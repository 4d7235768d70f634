// The desk in a test: over the scripted program, its door open unless said otherwise.
import { render, screen, waitFor } from '@testing-library/svelte';
import { expect, onTestFinished } from 'vitest';
import type { Section } from '../src/desk/sections';
import { DeskLock } from '../src/state/desk-lock.svelte';
import DeskInContext from './DeskInContext.svelte';
import type { FakeDesk } from './desk';
import { screens } from './fixtures';
import { FakeHost } from './host';

/** What a test holds of it. */
export interface RenderedDesk {
  desk: FakeDesk;
  deskLock: DeskLock;
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
  const host = new FakeHost(screens.attract);
  const { desk } = host;
  desk.isOpen = true;
  prepare(desk);
  const deskLock = new DeskLock();
  deskLock.openDesk();
  forwardKeysToLock(deskLock);
  render(DeskInContext, { host, deskLock });
  await waitFor(() => expect(screen.queryByTestId(desk.isOpen ? 'section' : 'pad')).not.toBeNull());
  if (section) {
    byTestId(`section-${section}`).click();
    await waitFor(() => expect(byTestId('section').dataset.section).toBe(section));
  }
  return { desk, deskLock };
}

/** As on the page: the door hears of every key first and last. */
function forwardKeysToLock(deskLock: DeskLock): void {
  const first = () => deskLock.captureEventOwner();
  const last = (event: KeyboardEvent) => deskLock.handleKeydown(event);
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
