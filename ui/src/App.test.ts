import { fireEvent, render, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { describe, expect, it, vi } from 'vitest';
import { backendUnreachable, realBackend, type ScreenName, sandboxBackend, screens } from '../fake/fixtures';
import { FakeHost } from '../fake/host';
import { byTestId, focusedTestId, renderScreen } from '../fake/render-app';
import App from './App.svelte';
import { languageStore } from './state/language-store.svelte';

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
    ['making-offer', 'next-visitor'],
    ['making-offer-full', 'back'],
    ['invite-offer', 'code'],
    ['ticket', 'ticket-done'],
    ['pick-up', 'digit-5'],
    ['pick-up-making', 'back'],
    ['pick-up-closed', 'back'],
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
    // A real backend simulates nothing, and its code can be scanned.
    const of = ['invite-real', 'invite-offer', 'invite-expired'].includes(name)
      ? realBackend
      : sandboxBackend;
    await renderScreen(screens[name], new FakeHost(screens[name], {}, of));
    expect(byTestId('status-title').textContent?.trim()).not.toBe('');
    expect(focusedTestId()).toBe(primary);
  });

  it('shows a problem, and continues', async () => {
    const host = await renderScreen(screens['invite-trouble']);
    expect(byTestId('trouble').textContent).toContain(languageStore.translate('problem-backend-unreachable'));
    // The operator's message is not for visitors.
    expect(byTestId('screen').textContent).not.toContain(backendUnreachable.operator);
    expect(byTestId('screen').textContent).not.toContain(backendUnreachable.hint);
    host.showScreen(screens.invite);
    await waitFor(() => expect(byTestId('trouble').textContent?.trim()).toBe(''));
  });

  it('moves the focus with the screen', async () => {
    const host = await renderScreen(screens.attract);
    host.showScreen(screens.invite);
    await waitFor(() => expect(focusedTestId()).toBe('play-phone'));
    host.showScreen(screens.making);
    await waitFor(() => expect(focusedTestId()).toBe('said'));
    host.showScreen(screens['making-failed']);
    await waitFor(() => expect(focusedTestId()).toBe('code'));
    host.showScreen(screens.ended);
    await waitFor(() => expect(focusedTestId()).toBe('once-more'));
  });
});

describe('snapshots', () => {
  it('are ignored when they are older', async () => {
    const host = await renderScreen(screens.attract);
    host.showScreen(screens.making, 7);
    await waitFor(() => expect(byTestId('screen').dataset.screen).toBe('making'));
    host.showScreen(screens.invite, 6);
    await tick();
    expect(byTestId('screen').dataset.screen).toBe('making');
    host.showScreen({ ...screens.making, progress: 77 }, 8);
    await waitFor(() => expect(byTestId('progress').textContent).toContain('69'));
    expect(byTestId('screen').dataset.screen).toBe('making');
  });

  it('are not followed after the app is closed', async () => {
    const host = new FakeHost(screens.attract);
    const { unmount } = render(App, { host });
    await waitFor(() => expect(host.subscriberCount).toBe(1));
    unmount();
    expect(host.subscriberCount).toBe(0);
  });

  it('that never come show a message, a retry button, and the technical message to the staff', async () => {
    const host = new FakeHost(screens.attract);
    host.connectionError = new Error('no such command');
    render(App, { host });
    await waitFor(() =>
      expect(byTestId('problem').textContent).toContain(languageStore.translate('problem-window-lost')),
    );
    await waitFor(() => expect(focusedTestId()).toBe('try-again'));
    expect(document.body.textContent).not.toContain('no such command');
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(byTestId('operator-detail').textContent).toContain('no such command');
    await fireEvent.keyDown(document.body, { key: 'F9' });
    // First still unreachable, then reachable.
    await fireEvent.click(byTestId('try-again'));
    await waitFor(() => expect(focusedTestId()).toBe('try-again'));
    host.connectionError = null;
    await fireEvent.click(byTestId('try-again'));
    await waitFor(() => expect(focusedTestId()).toBe('start'));
    expect(host.subscriberCount).toBe(1);
  });

  it('that never come are requested again automatically', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const host = new FakeHost(screens.attract);
    host.connectionError = new Error('no such command');
    render(App, { host });
    await vi.waitFor(() => expect(byTestId('problem')).toBeTruthy());
    host.connectionError = null;
    vi.advanceTimersByTime(10_000);
    await vi.waitFor(() => expect(byTestId('screen').dataset.screen).toBe('attract'));
    expect(host.subscriberCount).toBe(1);
    vi.advanceTimersByTime(60_000);
    expect(host.subscriberCount).toBe(1);
    vi.useRealTimers();
  });
});

it('closes the operator’s detail when the visit ends, and opens it on any screen', async () => {
  const host = await renderScreen(screens['invite-trouble']);
  await fireEvent.keyDown(document.body, { key: 'F9' });
  expect(byTestId('operator-detail')).toBeTruthy();
  host.showScreen(screens['making-trouble']);
  await waitFor(() => expect(byTestId('screen').dataset.screen).toBe('making'));
  expect(byTestId('operator-detail')).toBeTruthy();
  host.showScreen(screens.attract);
  await waitFor(() => expect(byTestId('screen').dataset.screen).toBe('attract'));
  expect(document.querySelector('[data-testid=operator-detail]')).toBeNull();
});

describe('a live region', () => {
  // Screen readers announce changes within a region, not a region that is new.
  it.each<[ScreenName, ScreenName, string]>([
    ['making-queue', 'making', '[data-testid=said]'],
    ['forgotten', 'forget-failed', '[data-testid=said]'],
  ])('is the same on %s and %s', async (before, after, region) => {
    const host = await renderScreen(screens[before]);
    const said = document.querySelector(region);
    expect(said?.getAttribute('aria-live') ?? said?.getAttribute('role')).toBeTruthy();
    const title = byTestId('status-title').textContent;
    host.showScreen(screens[after]);
    await waitFor(() => expect(byTestId('status-title').textContent).not.toBe(title));
    expect(document.querySelector(region)).toBe(said);
  });
});

describe('a gamepad', () => {
  it('starts by any button, confirms by A, and goes back by B', async () => {
    let pressed: number[] = [];
    const pad = () => ({
      connected: true,
      mapping: 'standard',
      index: 0,
      axes: [0, 0, 0, 0],
      buttons: Array.from({ length: 16 }, (_, i) => ({ pressed: pressed.includes(i) })),
    });
    vi.stubGlobal('navigator', Object.assign(Object.create(navigator), { getGamepads: () => [pad()] }));
    const host = await renderScreen(screens.attract);
    const pressUntil = async (button: number, check: () => void) => {
      pressed = [button];
      await waitFor(check);
      pressed = [];
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    };
    const press = (button: number, ...asked: string[]) =>
      pressUntil(button, () => expect(host.calledActions).toEqual(asked));
    await press(6, 'startVisit');
    host.showScreen(screens.invite);
    await waitFor(() => expect(focusedTestId()).toBe('play-phone'));
    await pressUntil(0, () => expect(byTestId('demo-phone').dataset.phase).toBe('scan'));
    await press(1, 'startVisit', 'cancelVisit');
    vi.unstubAllGlobals();
  });
});

it('shows a symbol in the place of any face while it asks whether to delete', async () => {
  await renderScreen(screens['reveal-portrait']);
  const symbol = () => document.querySelector('.scenery [data-symbol]')?.getAttribute('data-symbol') ?? null;
  expect(symbol()).toBeNull();
  await fireEvent.click(byTestId('forget'));
  await waitFor(() => expect(symbol()).toBe('portrait'));
  expect(document.querySelector('.scenery')?.classList).toContain('asked');
});

it('has no inline styles, which the content security policy refuses', () => {
  const sources = import.meta.glob<string>('./**/*.svelte', {
    query: '?raw',
    import: 'default',
    eager: true,
  });
  expect(Object.keys(sources).length).toBeGreaterThan(10);
  for (const [file, source] of Object.entries(sources)) expect(source, file).not.toMatch(/\sstyle=|\{@html/);
});

it('imports test doubles in main.ts alone, which drops them from a production build', () => {
  const sources = import.meta.glob<string>(['./**/*.{svelte,ts}', '!./**/*.test.ts'], {
    query: '?raw',
    import: 'default',
    eager: true,
  });
  const importing = Object.entries(sources).filter(([, source]) => /['"](?:\.\.\/)+fake\//.test(source));
  expect(importing.map(([file]) => file)).toEqual(['./main.ts']);
});
