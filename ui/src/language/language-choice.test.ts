import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { screens } from '../../fake/fixtures';
import { byTestId, focusedTestId, pressEscape, renderScreen } from '../../fake/render-app';
import { languageStore } from '../state/language-store.svelte';

afterEach(() => vi.useRealTimers());

describe('the language', () => {
  it('is chosen on the first screen without starting a visit', async () => {
    const host = await renderScreen(screens.attract);
    await fireEvent.click(byTestId('tongue-de'));
    expect(languageStore.locale).toBe('de');
    expect(byTestId('start').textContent).toBe('Los geht’s');
    expect(focusedTestId()).toBe('start');
    expect(host.calledActions).toEqual([]);
    byTestId('tongue-fr').focus();
    await fireEvent.keyDown(byTestId('tongue-fr'), { key: 'Enter' });
    expect(host.calledActions).toEqual([]);
  });

  it('is chosen in a dialog on every other screen', async () => {
    const host = await renderScreen(screens.invite);
    await fireEvent.click(byTestId('language'));
    await waitFor(() => expect(focusedTestId()).toBe('tongue-en'));
    await pressEscape();
    await waitFor(() => expect(screen.queryByTestId('languages')).toBeNull());
    expect(host.calledActions).toEqual([]);
    await fireEvent.keyDown(document.body, { key: 'l' });
    await waitFor(() => expect(focusedTestId()).toBe('tongue-en'));
    await fireEvent.click(byTestId('tongue-ja'));
    await waitFor(() => expect(focusedTestId()).toBe('play-phone'));
    expect(byTestId('back').textContent?.trim()).toBe('戻る');
    expect(document.documentElement.lang).toBe('ja');
  });

  it('is reset for the next visitor', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    await renderScreen(screens.attract);
    await fireEvent.click(byTestId('tongue-es'));
    vi.advanceTimersByTime(30_000);
    expect(languageStore.locale).toBe('es');
    vi.advanceTimersByTime(20_000);
    expect(languageStore.locale).toBe('en');
  });
});
