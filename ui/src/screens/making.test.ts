import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  backendUnreachable,
  lanBackend,
  realBackend,
  type ScreenName,
  sandboxBackend,
  screens,
} from '../../fake/fixtures';
import { FakeHost } from '../../fake/host';
import { byTestId, focusedTestId, pressEscape, renderScreen } from '../../fake/render-app';
import App from '../App.svelte';
import { languageStore } from '../state/language-store.svelte';

afterEach(() => vi.useRealTimers());

describe('Making', () => {
  it('shows the place in the queue', async () => {
    const host = await renderScreen(screens['making-queue']);
    expect(byTestId('queue-position').textContent).toBe('3');
    expect(byTestId('screen').textContent?.replace(/\s+/g, ' ')).toContain('Number 3 in line');
    host.showScreen({ ...screens['making-queue'], queue_position: 0 });
    await waitFor(() =>
      expect(byTestId('status-title').textContent).toBe(languageStore.translate('making-queue-next')),
    );
    expect(screen.queryByTestId('queue-position')).toBeNull();
    expect(screen.queryByTestId('progress')).toBeNull();
  });

  it('shows the progress', async () => {
    await renderScreen(screens.making);
    expect(byTestId('progress').getAttribute('aria-valuenow')).toBe('38');
    expect(screen.queryByTestId('queue-position')).toBeNull();
  });

  it('explains a failure, shows the code again and offers a new one', async () => {
    const failed = screens['making-failed'];
    const host = await renderScreen(failed, new FakeHost(failed, {}, realBackend));
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('making-failed-title'));
    expect(byTestId('qr')).toBeTruthy();
    // An accidental press must not replace the code.
    expect(focusedTestId()).toBe('code');
    await fireEvent.click(byTestId('new-code'));
    expect(host.calledActions).toEqual(['requestNewCode']);
  });

  it('draws a phone beside a code that no phone can open', async () => {
    const host = await renderScreen(screens['making-failed-sandbox']);
    expect(screen.queryByTestId('qr')).toBeNull();
    expect(byTestId('screen').textContent).toContain(languageStore.translate('making-failed-line-demo'));
    expect(byTestId('screen').textContent).not.toContain(languageStore.translate('making-failed-line'));
    expect(focusedTestId()).toBe('play-phone');
    expect(byTestId('demo-phone')).toBeTruthy();
    host.showScreen(screens['making-failed-sandbox'], undefined, lanBackend);
    await waitFor(() => expect(byTestId('qr')).toBeTruthy());
    expect(byTestId('screen').textContent).toContain(languageStore.translate('making-failed-line'));
    expect(screen.queryByTestId('demo-phone')).toBeNull();
    expect(byTestId('open-phone').classList).not.toContain('primary');
  });

  it('keeps everything in its place when there is trouble', async () => {
    const host = await renderScreen(screens.making);
    const parts = () => [...byTestId('screen').querySelectorAll('.words > *')].map((one) => one.className);
    const before = parts();
    host.showScreen({ ...screens.making, trouble: backendUnreachable });
    await waitFor(() => expect(byTestId('trouble').textContent?.trim()).not.toBe(''));
    expect(parts()).toEqual(before);
  });

  it('announces the end of the greeting in the same live region', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const host = new FakeHost(screens.invite);
    render(App, { host });
    await vi.waitFor(() => expect(byTestId('screen').dataset.screen).toBe('invite'));
    host.showScreen(screens.making);
    await vi.waitFor(() => expect(focusedTestId()).toBe('said'));
    const said = byTestId('said');
    vi.advanceTimersByTime(3000);
    await vi.waitFor(() =>
      expect(byTestId('status-title').textContent).toBe(languageStore.translate('making-processing-title')),
    );
    expect(byTestId('said')).toBe(said);
    await vi.waitFor(() => expect(focusedTestId()).toBe('back'));
  });

  it('shows an unknown status', async () => {
    await renderScreen(screens['making-unknown']);
    // Its name is for the operator.
    expect(byTestId('screen').textContent).toContain(languageStore.translate('making-unknown-line'));
    expect(byTestId('screen').textContent).not.toMatch(/in.quality.review/);
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(byTestId('operator-detail').textContent).toMatch(/in.quality.review/);
  });

  it('asks before it leaves', async () => {
    const host = await renderScreen(screens.making);
    await pressEscape();
    await waitFor(() => expect(focusedTestId()).toBe('stay'));
    await pressEscape();
    await waitFor(() => expect(focusedTestId()).toBe('back'));
    expect(host.calledActions).toEqual([]);
    await fireEvent.click(byTestId('back'));
    await fireEvent.click(await screen.findByTestId('leave'));
    expect(host.calledActions).toEqual(['cancelVisit']);
  });

  describe('the question before leaving', () => {
    const asked = async (name: ScreenName, keep_hours: number | null) => {
      const host = await renderScreen(
        screens[name],
        new FakeHost(screens[name], {}, sandboxBackend, { keep_hours }),
      );
      await pressEscape();
      await waitFor(() => expect(focusedTestId()).toBe('stay'));
      return host;
    };
    const offers = () => screen.getAllByRole('button').map((one) => one.dataset.testid ?? '');

    it.each(['making', 'making-queue', 'saving'] as const)(
      'says at %s that it goes on and how long it is kept, and deletes it where that is wanted',
      async (name) => {
        const host = await asked(name, 48);
        expect(byTestId('leaving').textContent).toContain(languageStore.translate('leave-ask-making'));
        expect(byTestId('leave-kept').textContent).toBe(languageStore.translate('keep-days', { count: 2 }));
        await fireEvent.click(byTestId('leave-delete'));
        expect(host.calledActions).toEqual(['forgetVisit']);
        expect(byTestId('forgetting').dataset.stand).toBe('working');
      },
    );

    it.each(['making', 'saving', 'reveal'] as const)(
      'says at %s that it is deleted where nothing outlasts its visitor, and does that at once',
      async (name) => {
        const host = await asked(name, 0);
        expect(byTestId('leave-kept').textContent).toBe(languageStore.translate('keep-while-here'));
        expect(byTestId('leaving').textContent).not.toContain(languageStore.translate('leave-ask-making'));
        expect(offers()).not.toContain('leave');
        await fireEvent.click(byTestId('leave-delete'));
        expect(host.calledActions).toEqual(['forgetVisit']);
      },
    );

    it('says what leaving ends after a failed recording', async () => {
      const host = await asked('making-failed', 48);
      expect(byTestId('leaving').textContent).toContain(languageStore.translate('leave-ask-failed'));
      expect(screen.queryByTestId('leave-kept')).toBeNull();
      expect(offers()).not.toContain('leave-delete');
      await fireEvent.click(byTestId('leave'));
      expect(host.calledActions).toEqual(['cancelVisit']);
    });
  });
});

describe('Found you', () => {
  it('greets a visitor who comes from the QR code, and then shows the progress', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const host = new FakeHost(screens.invite);
    render(App, { host });
    await vi.waitFor(() => expect(byTestId('screen').dataset.screen).toBe('invite'));
    host.showScreen(screens['making-queue']);
    await tick();
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('making-found-title'));
    // No button is focused during the greeting.
    await vi.waitFor(() => expect(focusedTestId()).toBe('said'));
    vi.advanceTimersByTime(3000);
    await tick();
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('making-queue-title'));
    await vi.waitFor(() => expect(focusedTestId()).toBe('back'));
  });

  it.each([
    ['the drawn phone goes into the ring', sandboxBackend, 'making-found-line-demo', '.leaving .phone'],
    ['the code becomes the ring', lanBackend, 'making-found-line', '.becoming img'],
  ] as const)('%s, and the text says whose phone it is', async (_, backend, line, drawing) => {
    const host = await renderScreen(screens.invite, new FakeHost(screens.invite, {}, backend));
    host.showScreen(screens.making, undefined, backend);
    await waitFor(() => expect(byTestId('said').textContent).toContain(languageStore.translate(line)));
    const drawings = ['.leaving .phone', '.becoming img'].filter((one) => document.querySelector(one));
    expect(drawings).toEqual([drawing]);
  });

  it('is not shown after a failed recording', async () => {
    const host = await renderScreen(screens.invite);
    host.showScreen(screens['making-failed']);
    await waitFor(() =>
      expect(byTestId('status-title').textContent).toBe(languageStore.translate('making-failed-title')),
    );
  });
});

describe('the time left', () => {
  const BEGAN = Date.parse('2026-11-22T12:00:00Z');
  const seen = [0, 10, 20, 30, 40].map((progress, i) => ({
    at_ms: BEGAN + i * 5000,
    progress,
    queue_position: null,
  }));
  const now = (seconds: number) =>
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'], now: BEGAN + seconds * 1000 });

  it('is shown at once from the program’s samples, and a stall later', async () => {
    now(20);
    const host = await renderScreen({ ...screens.making, progress: 40, seen });
    // Thirty seconds at this pace, on a page that was just loaded.
    expect(byTestId('outlook').textContent?.trim()).toBe('About 30–40 seconds to go');
    vi.advanceTimersByTime(40_000);
    await tick();
    expect(byTestId('outlook').textContent?.trim()).toBe(languageStore.translate('making-stalled'));
    // A lost connection is not a stall, and gives no pace.
    host.showScreen({ ...screens.making, progress: 40, seen, trouble: backendUnreachable });
    await tick();
    expect(byTestId('outlook').closest('.away')).toBeTruthy();
  });

  it('is not shown before there is a pace', async () => {
    now(5);
    await renderScreen({ ...screens.making, progress: 10, seen: seen.slice(0, 2) });
    expect(byTestId('outlook').dataset.kind).toBe('open');
  });

  it('in the queue is based on the places alone', async () => {
    now(60);
    const places = [5, 4, 3, 2].map((queue_position, i) => ({
      at_ms: BEGAN + i * 20_000,
      progress: null,
      queue_position,
    }));
    await renderScreen({ ...screens['making-queue'], queue_position: 2, seen: places });
    expect(byTestId('outlook').textContent?.trim()).toBe('Your turn in about 30–50 seconds');
  });
});

describe('Saving', () => {
  it('closes the ring, without files and bytes', async () => {
    await renderScreen(screens.saving);
    expect(screen.getAllByRole('progressbar').map((bar) => bar.getAttribute('aria-valuenow'))).toEqual([
      '97',
    ]);
    expect(byTestId('screen').textContent).not.toMatch(/MB|\.glb/);
  });

  it('does not go on when a size is unknown', async () => {
    await renderScreen(screens['saving-open']);
    expect(byTestId('progress').getAttribute('aria-valuenow')).toBe('90');
    expect(screen.queryByTestId('outlook')).toBeNull();
  });
});
