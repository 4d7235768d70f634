import { fireEvent, render, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { describe, expect, it, vi } from 'vitest';
import App from './App.svelte';
import { at, focused, show } from '../fake/render-app';
import { FakeHost } from '../fake/host';
import { backend, offline, realBackend, type ScreenName, screens } from '../fake/fixtures';
import { say } from './state/language-store.svelte';

describe('every screen', () => {
  it.each<[ScreenName, string]>([
    ['attract', 'start'],
    ['consent', 'consent-text'],
    ['consent-long', 'consent-text'],
    ['preparing', 'back'],
    ['preparing-trouble', 'back'],
    ['invite', 'play-phone'],
    ['invite-real', 'code'],
    ['invite-expired', 'new-code'],
    ['invite-trouble', 'play-phone'],
    ['making-next', 'back'],
    ['making-trouble', 'back'],
    ['making-queue', 'back'],
    ['making', 'back'],
    ['making-open', 'back'],
    ['making-failed', 'code'],
    ['making-failed-sandbox', 'play-phone'],
    ['making-unknown', 'back'],
    ['saving', 'back'],
    ['saving-open', 'back'],
    ['reveal-card', 'again'],
    ['forgotten', 'again'],
    ['forget-failed', 'again'],
    ['ended', 'once-more'],
    ['ended-kept', 'once-more'],
  ])('%s has words, and the focus on %s', async (name, primary) => {
    // A real backend offers nothing to simulate, and its code can be scanned.
    const of = ['invite-real', 'invite-expired'].includes(name) ? realBackend : backend;
    await show(screens[name], new FakeHost(screens[name], {}, of));
    expect(at('status-title').textContent?.trim()).not.toBe('');
    expect(focused()).toBe(primary);
  });

  it('says what stands in the way, and goes on', async () => {
    const host = await show(screens['invite-trouble']);
    expect(at('trouble').textContent).toContain(say('problem-backend-unreachable'));
    // The operator's words are not for visitors.
    expect(at('screen').textContent).not.toContain(offline.operator);
    expect(at('screen').textContent).not.toContain(offline.hint);
    host.show(screens.invite);
    await waitFor(() => expect(at('trouble').textContent?.trim()).toBe(''));
  });

  it('takes the focus along when it changes', async () => {
    const host = await show(screens.attract);
    host.show(screens.invite);
    await waitFor(() => expect(focused()).toBe('play-phone'));
    host.show(screens.making);
    await waitFor(() => expect(focused()).toBe('said'));
    host.show(screens['making-failed']);
    await waitFor(() => expect(focused()).toBe('code'));
    host.show(screens.ended);
    await waitFor(() => expect(focused()).toBe('once-more'));
  });
});

describe('snapshots', () => {
  it('that are stale are dropped', async () => {
    const host = await show(screens.attract);
    host.show(screens.making, 7);
    await waitFor(() => expect(at('screen').dataset.screen).toBe('making'));
    host.show(screens.invite, 6);
    await tick();
    expect(at('screen').dataset.screen).toBe('making');
    host.show({ ...screens.making, progress: 77 }, 8);
    await waitFor(() => expect(at('progress').textContent).toContain('77'));
    expect(at('screen').dataset.screen).toBe('making');
  });

  it('are not followed any more when the window goes', async () => {
    const host = new FakeHost(screens.attract);
    const { unmount } = render(App, { host });
    await waitFor(() => expect(host.followers).toBe(1));
    unmount();
    expect(host.followers).toBe(0);
  });

  it('that never come leave words on the screen, a way on, and the raw ones to the staff', async () => {
    const host = new FakeHost(screens.attract);
    host.lost = new Error('no such command');
    render(App, { host });
    await waitFor(() => expect(at('problem').textContent).toContain(say('problem-window-lost')));
    await waitFor(() => expect(focused()).toBe('try-again'));
    expect(document.body.textContent).not.toContain('no such command');
    await fireEvent.click(at('detail'));
    expect(at('operator-detail').textContent).toContain('no such command');
    await fireEvent.click(at('detail'));
    // Still lost, and then not any more.
    await fireEvent.click(at('try-again'));
    await waitFor(() => expect(focused()).toBe('try-again'));
    host.lost = null;
    await fireEvent.click(at('try-again'));
    await waitFor(() => expect(focused()).toBe('start'));
    expect(host.followers).toBe(1);
  });

  it('that never come are asked for again without a press', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const host = new FakeHost(screens.attract);
    host.lost = new Error('no such command');
    render(App, { host });
    await vi.waitFor(() => expect(at('problem')).toBeTruthy());
    host.lost = null;
    vi.advanceTimersByTime(10_000);
    await vi.waitFor(() => expect(at('screen').dataset.screen).toBe('attract'));
    expect(host.followers).toBe(1);
    vi.advanceTimersByTime(60_000);
    expect(host.followers).toBe(1);
    vi.useRealTimers();
  });
});

describe('a gamepad', () => {
  it('starts by any button, moves on by A, and goes back by B', async () => {
    let pressed: number[] = [];
    const pad = () => ({
      connected: true,
      index: 0,
      axes: [0, 0, 0, 0],
      buttons: Array.from({ length: 16 }, (_, i) => ({ pressed: pressed.includes(i) })),
    });
    vi.stubGlobal('navigator', Object.assign(Object.create(navigator), { getGamepads: () => [pad()] }));
    const host = await show(screens.attract);
    const press = async (button: number, ...asked: string[]) => {
      pressed = [button];
      await waitFor(() => expect(host.asked).toEqual(asked));
      pressed = [];
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    };
    await press(6, 'start');
    host.show(screens.invite);
    await waitFor(() => expect(focused()).toBe('play-phone'));
    await press(0, 'start', 'playPhone');
    await press(1, 'start', 'playPhone', 'cancel');
    vi.unstubAllGlobals();
  });
});

it('has no style in markup, which the page’s policy would refuse', () => {
  const sources = import.meta.glob<string>('./**/*.svelte', {
    query: '?raw',
    import: 'default',
    eager: true,
  });
  expect(Object.keys(sources).length).toBeGreaterThan(10);
  for (const [file, source] of Object.entries(sources)) expect(source, file).not.toMatch(/\sstyle=|\{@html/);
});
