import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { expect, it, vi } from 'vitest';
import { screens } from '../fake/fixtures';
import { FakeHost } from '../fake/host';
import { byTestId, focusedTestId } from '../fake/render-app';
import type { Screen } from './generated/view';
import PageBoundary from './PageBoundary.svelte';
import { languageStore } from './state/language-store.svelte';

it('shows a message and reports the failure when a screen cannot be drawn', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
  const [onfailure, onreload] = [vi.fn(), vi.fn()];
  const host = new FakeHost(screens.making);
  render(PageBoundary, { host, onfailure, onreload });
  await waitFor(() => expect(byTestId('screen').dataset.screen).toBe('making'));
  // A snapshot that the page does not understand, as after an update of one half.
  host.showScreen({ ...screens.making, seen: null } as unknown as Screen);
  await waitFor(() => expect(byTestId('page-failed')).toBeTruthy());
  expect(screen.queryByTestId('screen')).toBeNull();
  expect(byTestId('page-failed').textContent).toContain(languageStore.translate('problem-window-lost'));
  expect(onfailure).toHaveBeenCalledTimes(1);
  expect(focusedTestId()).toBe('reload');
  await fireEvent.click(byTestId('reload'));
  expect(onreload).toHaveBeenCalledTimes(1);
});
