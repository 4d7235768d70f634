// What tests of whole screens have in common: the app over a scripted host.
import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, expect, vi } from 'vitest';
import App from '../src/App.svelte';
import type { Screen } from '../src/generated/view';
import { attendanceTimer } from '../src/state/attendance-timer';
import { languageStore } from '../src/state/language-store.svelte';
import { FakeHost } from './host';

/** What bears a test id. */
export const byTestId = (id: string) => screen.getByTestId(id);
/** Who has the focus, by test id. */
export const focusedTestId = () => document.activeElement?.getAttribute('data-testid');

/** Puts the app up before a visitor (or nobody), and waits until a screen stands and has the focus. */
export async function renderScreen(
  first: Screen,
  host = new FakeHost(first),
  attended = true,
): Promise<FakeHost> {
  if (attended) attendanceTimer.noteActivity();
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

/** Presses Escape as a browser does: where no listener takes the key, it closes the topmost dialog. */
export async function pressEscape(): Promise<void> {
  const isUnhandled = await fireEvent.keyDown(document.body, { key: 'Escape' });
  const dialog = [...document.querySelectorAll('dialog')].filter(({ open }) => open).at(-1);
  if (isUnhandled) dialog?.close();
}
