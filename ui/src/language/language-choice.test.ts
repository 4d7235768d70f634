import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { at, focused, show } from '../../fake/render-app';
import { screens } from '../../fake/fixtures';
import { language } from '../state/language-store.svelte';

afterEach(() => vi.useRealTimers());

describe('the language', () => {
  it('is chosen on the first screen, which does not begin by that', async () => {
    const host = await show(screens.attract);
    await fireEvent.click(at('tongue-de'));
    expect(language()).toBe('de');
    expect(at('start').textContent).toBe('Los geht’s');
    expect(focused()).toBe('start');
    expect(host.asked).toEqual([]);
    at('tongue-fr').focus();
    await fireEvent.keyDown(at('tongue-fr'), { key: 'Enter' });
    expect(host.asked).toEqual([]);
  });

  it('is chosen on every other screen over it, and what is below waits', async () => {
    const host = await show(screens.invite);
    await fireEvent.click(at('language'));
    await waitFor(() => expect(focused()).toBe('tongue-en'));
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    await waitFor(() => expect(screen.queryByTestId('languages')).toBeNull());
    expect(host.asked).toEqual([]);
    await fireEvent.keyDown(document.body, { key: 'l' });
    await waitFor(() => expect(focused()).toBe('tongue-en'));
    await fireEvent.click(at('tongue-ja'));
    await waitFor(() => expect(focused()).toBe('play-phone'));
    expect(at('back').textContent?.trim()).toBe('戻る');
    expect(document.documentElement.lang).toBe('ja');
  });

  it('is the screen’s own again for the next visitor', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    await show(screens.attract);
    await fireEvent.click(at('tongue-es'));
    vi.advanceTimersByTime(30_000);
    expect(language()).toBe('es');
    vi.advanceTimersByTime(20_000);
    expect(language()).toBe('en');
  });
});
