import { waitFor } from '@testing-library/svelte';
import { afterEach, expect, it } from 'vitest';
import { lanBackend, screens } from '../../fake/fixtures';
import { FakeHost } from '../../fake/host';
import { byTestId, focusedTestId, renderScreen } from '../../fake/render-app';
import { inputDevice } from '../state/input-device.svelte';
import { languageStore } from '../state/language-store.svelte';

afterEach(() => {
  inputDevice.last = 'pointer';
});

it('names the button that selects only while a press does something', async () => {
  inputDevice.last = 'gamepad';
  await renderScreen(screens.invite, new FakeHost(screens.invite, {}, lanBackend));
  const select = languageStore.translate('hint-choose');
  expect(focusedTestId()).toBe('code');
  expect(byTestId('hints').textContent).not.toContain(select);
  byTestId('new-code').focus();
  await waitFor(() => expect(byTestId('hints').textContent).toContain(select));
});
