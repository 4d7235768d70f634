import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import App from '../App.svelte';
import { at, focused, show } from '../../fake/render-app';
import { FakeHost } from '../../fake/host';
import { backend, offline, openBackend, realBackend, type ScreenName, screens } from '../../fake/fixtures';
import { say } from '../state/language-store.svelte';

afterEach(() => vi.useRealTimers());

describe('Making', () => {
  it('says the place in the queue', async () => {
    const host = await show(screens['making-queue']);
    expect(at('queue-position').textContent).toBe('3');
    expect(at('screen').textContent?.replace(/\s+/g, ' ')).toContain('Number 3 in line');
    host.show({ ...screens['making-queue'], queue_position: 0 });
    await waitFor(() => expect(at('queue-position').textContent).toBe(say('making-queue-next')));
    expect(screen.queryByTestId('progress')).toBeNull();
  });

  it('says how far it is', async () => {
    await show(screens.making);
    expect(at('progress').getAttribute('aria-valuenow')).toBe('42');
    expect(screen.queryByTestId('queue-position')).toBeNull();
  });

  it('explains a failure, shows the code again and offers a new one', async () => {
    const failed = screens['making-failed'];
    const host = await show(failed, new FakeHost(failed, {}, realBackend));
    expect(at('status-title').textContent).toBe(say('making-failed-title'));
    expect(at('qr')).toBeTruthy();
    // A stray press costs nobody the code that they are to scan.
    expect(focused()).toBe('code');
    await fireEvent.click(at('new-code'));
    expect(host.asked).toEqual(['newCode']);
  });

  it('sends nobody to a code that no phone can open', async () => {
    const host = await show(screens['making-failed-sandbox']);
    expect(screen.queryByTestId('qr')).toBeNull();
    expect(at('screen').textContent).toContain(say('making-failed-line-demo'));
    expect(at('screen').textContent).not.toContain(say('making-failed-line'));
    expect(focused()).toBe('play-phone');
    host.show(screens['making-failed-sandbox'], undefined, openBackend);
    await waitFor(() => expect(at('qr')).toBeTruthy());
    expect(at('screen').textContent).toContain(say('making-failed-line'));
    expect(at('play-phone').classList).not.toContain('primary');
  });

  it('tells an unknown status in words', async () => {
    await show(screens['making-unknown']);
    expect(at('screen').textContent).toContain('in quality review');
  });

  it('asks before it leaves', async () => {
    const host = await show(screens.making);
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    await waitFor(() => expect(focused()).toBe('stay'));
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    await waitFor(() => expect(focused()).toBe('back'));
    expect(host.asked).toEqual([]);
    await fireEvent.click(at('back'));
    await fireEvent.click(await screen.findByTestId('leave'));
    expect(host.asked).toEqual(['cancel']);
  });

  describe('the question before leaving', () => {
    const asked = async (name: ScreenName, keep_hours: number | null) => {
      const host = await show(screens[name], new FakeHost(screens[name], {}, backend, { keep_hours }));
      await fireEvent.keyDown(document.body, { key: 'Escape' });
      await waitFor(() => expect(focused()).toBe('stay'));
      return host;
    };
    const offers = () => screen.getAllByRole('button').map((one) => one.dataset.testid ?? '');

    it.each(['making', 'making-queue', 'saving'] as const)(
      'says at %s that it goes on and how long it is kept, and deletes it where that is wanted',
      async (name) => {
        const host = await asked(name, 48);
        expect(at('leaving').textContent).toContain(say('leave-ask-making'));
        expect(at('leave-kept').textContent).toBe(say('keep-days', { count: 2 }));
        await fireEvent.click(at('leave-delete'));
        expect(host.asked).toEqual(['forget']);
        expect(at('forgetting').dataset.stand).toBe('working');
      },
    );

    it.each(['making', 'saving', 'reveal'] as const)(
      'says at %s that it is deleted where nothing outlasts its visitor, and does that at once',
      async (name) => {
        const host = await asked(name, 0);
        expect(at('leave-kept').textContent).toBe(say('keep-while-here'));
        expect(at('leaving').textContent).not.toContain(say('leave-ask-making'));
        expect(offers()).not.toContain('leave');
        await fireEvent.click(at('leave-delete'));
        expect(host.asked).toEqual(['forget']);
      },
    );

    it('says of a recording that failed what leaving ends', async () => {
      const host = await asked('making-failed', 48);
      expect(at('leaving').textContent).toContain(say('leave-ask-failed'));
      expect(screen.queryByTestId('leave-kept')).toBeNull();
      expect(offers()).not.toContain('leave-delete');
      await fireEvent.click(at('leave'));
      expect(host.asked).toEqual(['cancel']);
    });
  });
});

describe('Found you', () => {
  it('is said to who comes from the code, and then the work', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const host = new FakeHost(screens.invite);
    render(App, { host });
    await vi.waitFor(() => expect(at('screen').dataset.screen).toBe('invite'));
    host.show(screens['making-queue']);
    await tick();
    expect(at('status-title').textContent).toBe(say('making-found-title'));
    // No button is at hand while nothing is asked.
    await vi.waitFor(() => expect(focused()).toBe('said'));
    vi.advanceTimersByTime(3000);
    await tick();
    expect(at('status-title').textContent).toBe(say('making-queue-title'));
    await vi.waitFor(() => expect(focused()).toBe('back'));
  });

  it('is not said of a recording that failed', async () => {
    const host = await show(screens.invite);
    host.show(screens['making-failed']);
    await waitFor(() => expect(at('status-title').textContent).toBe(say('making-failed-title')));
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

  it('is said at once where the program knows the pace, and a stall when there is none any more', async () => {
    now(20);
    const host = await show({ ...screens.making, progress: 40, seen });
    // Thirty seconds at this pace, on a page that was loaded just now.
    expect(at('outlook').textContent?.trim()).toBe('About 30–40 seconds to go');
    vi.advanceTimersByTime(40_000);
    await tick();
    expect(at('outlook').textContent?.trim()).toBe(say('making-stalled'));
    // A connection that is gone is no stall, and gives no pace.
    host.show({ ...screens.making, progress: 40, seen, trouble: offline });
    await tick();
    expect(screen.queryByTestId('outlook')).toBeNull();
  });

  it('is not said before there is a pace', async () => {
    now(5);
    await show({ ...screens.making, progress: 10, seen: seen.slice(0, 2) });
    expect(at('outlook').dataset.kind).toBe('open');
  });

  it('in the line goes by the places, not by what came before', async () => {
    now(60);
    const places = [5, 4, 3, 2].map((queue_position, i) => ({
      at_ms: BEGAN + i * 20_000,
      progress: null,
      queue_position,
    }));
    await show({ ...screens['making-queue'], queue_position: 2, seen: places });
    expect(at('outlook').textContent?.trim()).toBe('Your turn in about 30–50 seconds');
  });
});

describe('Saving', () => {
  it('has a bar a file and one for all', async () => {
    await show(screens.saving);
    expect(screen.getAllByTestId('file-row')).toHaveLength(3);
    const bars = screen.getAllByRole('progressbar').map((bar) => bar.getAttribute('aria-valuenow'));
    expect(bars).toEqual(['73', '61', '100', '29']);
  });

  it('claims nothing where a size is unknown, and counts what it does not list', async () => {
    await show(screens['saving-open']);
    expect(screen.getAllByRole('progressbar')[0]?.hasAttribute('aria-valuenow')).toBe(false);
    expect(screen.getAllByTestId('file-row')).toHaveLength(2);
    expect(at('screen').textContent).toContain('and 5 more files');
  });
});
