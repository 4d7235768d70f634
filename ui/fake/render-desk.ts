// Helpers for tests of the desk: unlocked by default, with a scripted program.
import { render, screen, waitFor } from '@testing-library/svelte';
import { expect, onTestFinished } from 'vitest';
import type { Section } from '../src/desk/sections';
import { DeskOverlay } from '../src/state/desk-overlay.svelte';
import DeskInContext from './DeskInContext.svelte';
import type { FakeDesk } from './desk';
import { screens } from './fixtures';
import { FakeHost } from './host';

/** What a test gets. */
export interface RenderedDesk {
  desk: FakeDesk;
  deskOverlay: DeskOverlay;
}

/** The element with a test id. */
export const byTestId = (id: string) => screen.getByTestId(id);
/** The test id of the focused element. */
export const focusedTestId = () => document.activeElement?.getAttribute('data-testid');

/** Renders the desk, and opens a section when it is unlocked. */
export async function renderDesk(
  prepare: (desk: FakeDesk) => void = () => {},
  section?: Section,
): Promise<RenderedDesk> {
  const host = new FakeHost(screens.attract);
  const { desk } = host;
  desk.isOpen = true;
  prepare(desk);
  const deskOverlay = new DeskOverlay();
  deskOverlay.openDesk();
  forwardKeysToLock(deskOverlay);
  render(DeskInContext, { host, deskOverlay });
  await waitFor(() => expect(screen.queryByTestId(desk.isOpen ? 'section' : 'pad')).not.toBeNull());
  if (section) {
    byTestId(`section-${section}`).click();
    await waitFor(() => expect(byTestId('section').dataset.section).toBe(section));
  }
  return { desk, deskOverlay };
}

/** As in the app: the lock sees every key first and last. */
function forwardKeysToLock(deskOverlay: DeskOverlay): void {
  const first = () => deskOverlay.captureEventOwner();
  const last = (event: KeyboardEvent) => deskOverlay.handleKeydown(event);
  document.addEventListener('keydown', first, true);
  document.addEventListener('keydown', last);
  onTestFinished(() => {
    document.removeEventListener('keydown', first, true);
    document.removeEventListener('keydown', last);
  });
}

/** Presses a key on the focused element. */
export function pressKey(key: string, on: Element = document.activeElement ?? document.body): void {
  on.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
}
