// What tests of whole screens have in common: the app over a scripted host.
import { render, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, expect, vi } from 'vitest';
import App from '../src/App.svelte';
import { attendance } from '../src/state/attendance-timer';
import type { Screen } from '../src/generated/view';
import { FakeHost } from './host';
import { greetIn, speak } from '../src/state/language-store.svelte';

/** What bears a test id. */
export const at = (id: string) => screen.getByTestId(id);
/** Who has the focus, by test id. */
export const focused = () => document.activeElement?.getAttribute('data-testid');

/** Puts the app up before a visitor (or nobody), and waits until a screen stands and has the focus. */
export async function show(first: Screen, host = new FakeHost(first), attended = true): Promise<FakeHost> {
  if (attended) attendance.sign();
  render(App, { host });
  await waitFor(() => expect(at('screen').dataset.screen).toBe(first.kind));
  await waitFor(() => expect(focused()).toBeTruthy());
  return host;
}

beforeEach(() => {
  greetIn(null);
  speak('en');
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});
