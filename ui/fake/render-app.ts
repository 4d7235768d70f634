// Helpers for tests of whole screens: the app with a scripted host.
import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, expect, vi } from 'vitest';
import App from '../src/App.svelte';
import type { Screen } from '../src/generated/view';
import { languageStore } from '../src/state/language-store.svelte';
import { visitorPresenceTimer } from '../src/state/visitor-presence-timer';
import { FakeHost } from './host';

/** The element with a test id. */
export const byTestId = (id: string) => screen.getByTestId(id);
/** The test id of the focused element. */
export const focusedTestId = () => document.activeElement?.getAttribute('data-testid');

/** Renders the app for a visitor (or an empty booth), and waits until a screen is shown and focused. */
export async function renderScreen(
  first: Screen,
  host = new FakeHost(first),
  attended = true,
): Promise<FakeHost> {
  if (attended) visitorPresenceTimer.noteActivity();
  render(App, { host });
  await waitFor(() => expect(byTestId('screen').dataset.screen).toBe(first.kind));
  await waitFor(() => expect(focusedTestId()).toBeTruthy());
  return host;
}

beforeEach(() => {
  languageStore.setDefaultLocale(null);
  languageStore.setLocale('en');
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});

/**
 * Presses Escape. The page must take the key: a browser that closes a dialog itself reports it only with the next
 * frame.
 */
export async function pressEscape(): Promise<void> {
  const isUnhandled = await fireEvent.keyDown(document.activeElement ?? document.body, { key: 'Escape' });
  if (isUnhandled) throw new Error('nothing has taken Escape');
}

/** Makes the system prefer less motion, so that the reveal has no performance. */
export function preferReducedMotion(): void {
  const real = window.matchMedia.bind(window);
  vi.spyOn(window, 'matchMedia').mockImplementation((query) =>
    query.includes('prefers-reduced-motion')
      ? ({ matches: true, media: query } as MediaQueryList)
      : real(query),
  );
}
