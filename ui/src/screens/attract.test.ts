import { fireEvent, waitFor } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { backendUnreachable, screens } from '../../fake/fixtures';
import { byTestId, renderScreen } from '../../fake/render-app';
import { languageStore } from '../state/language-store.svelte';

describe('Attract', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['the button', () => fireEvent.click(byTestId('start'))],
    ['a tap anywhere', () => fireEvent.click(byTestId('screen'))],
    ['any key', () => fireEvent.keyDown(document.body, { key: 'k' })],
  ])('starts by %s, once', async (_, act) => {
    const host = await renderScreen(screens.attract);
    await act();
    expect(host.calledActions).toEqual(['startVisit']);
  });

  it.each([
    { key: 'Tab' },
    { key: 'ArrowDown' },
    { key: 'Escape' },
    { key: 'F10' },
    { key: 'Shift' },
    { key: 'a', repeat: true },
    { key: 'r', ctrlKey: true },
  ])('does not start by %o', async (init) => {
    const host = await renderScreen(screens.attract);
    await fireEvent.keyDown(document.body, init);
    expect(host.calledActions).toEqual([]);
  });

  it('ignores the second half of a double click', async () => {
    const host = await renderScreen(screens.attract);
    await fireEvent.click(byTestId('screen'), { detail: 2 });
    expect(host.calledActions).toEqual([]);
  });

  it('shows when it cannot start, and can be tried again', async () => {
    const host = await renderScreen(screens.attract);
    host.refusals.set('startVisit', backendUnreachable);
    await fireEvent.click(byTestId('start'));
    await waitFor(() =>
      expect(byTestId('trouble').textContent).toContain(
        languageStore.translate('problem-backend-unreachable'),
      ),
    );
    await fireEvent.click(byTestId('start'));
    expect(host.calledActions).toEqual(['startVisit', 'startVisit']);
  });
});
