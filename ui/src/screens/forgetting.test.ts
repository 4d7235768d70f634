import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backendUnreachable, sandboxBackend, screens } from '../../fake/fixtures';
import { FakeHost } from '../../fake/host';
import {
  byTestId,
  focusedTestId,
  preferReducedMotion,
  pressEscape,
  renderScreen,
} from '../../fake/render-app';
import { languageStore } from '../state/language-store.svelte';

const opened = vi.hoisted(() => ({ stage: vi.fn() }));
vi.mock('../reveal/avatar-stage', () => ({ loadAndShowAvatar: opened.stage }));
afterEach(() => vi.useRealTimers());

const withModel = { ...screens.reveal, glb: 'avatar://a/avatar.glb' };

beforeEach(preferReducedMotion);

describe('forget me', () => {
  it('asks once, and keeps the files on no', async () => {
    const host = await renderScreen(screens.reveal);
    await fireEvent.click(byTestId('forget'));
    await waitFor(() => expect(focusedTestId()).toBe('keep'));
    expect(byTestId('forget-question').textContent).toContain(languageStore.translate('forget-ask'));
    await pressEscape();
    await waitFor(() => expect(focusedTestId()).toBe('again'));
    expect(host.calledActions).toEqual([]);
  });

  it('hides the avatar before the program has answered', async () => {
    const close = vi.fn();
    opened.stage.mockResolvedValue({
      turn: vi.fn(),
      setPaused: vi.fn(),
      setWelcoming: vi.fn(),
      close,
      makeFace: vi.fn(),
      faces: [],
      statistics: null,
    });
    const host = await renderScreen(withModel);
    await waitFor(() => expect(byTestId('turntable').dataset.ready).toBe('true'));
    host.forgetVisit = () => new Promise(() => {});
    await fireEvent.click(byTestId('forget'));
    await fireEvent.click(await screen.findByTestId('forget-yes'));
    await tick();
    expect(close).toHaveBeenCalledTimes(1);
    expect(screen.queryByTestId('turntable')).toBeNull();
    expect(byTestId('forgetting').dataset.stand).toBe('working');
    // Another change does not bring it back.
    host.setBooth({ voice: false });
    host.showScreen({ ...withModel });
    await tick();
    expect(screen.queryByTestId('turntable')).toBeNull();
  });

  it('shows a refusal of the program without the avatar', async () => {
    const host = await renderScreen({ ...screens.reveal, portrait: 'avatar://a/portrait.png' });
    host.refusals.set('forgetVisit', backendUnreachable);
    await fireEvent.click(byTestId('forget'));
    await fireEvent.click(await screen.findByTestId('forget-yes'));
    await waitFor(() => expect(byTestId('forgetting').dataset.stand).toBe('failed'));
    expect(screen.queryByTestId('portrait')).toBeNull();
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('forget-failed-title'));
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(byTestId('operator-detail').textContent).toContain(backendUnreachable.operator);
    await fireEvent.click(byTestId('again'));
    expect(host.calledActions).toEqual(['forgetVisit', 'returnToAttract']);
  });

  it.each([
    ['ended', false],
    ['ended-kept', true],
    ['making-failed', true],
    ['making', false],
  ] as const)('at %s: %s', async (name, offered) => {
    await renderScreen(screens[name]);
    expect(screen.queryByTestId('forget') !== null).toBe(offered);
  });

  it.each([
    [null, languageStore.translate('keep-for-ever')],
    [0, languageStore.translate('keep-until-finished')],
    [1, 'Your avatar is deleted from this console after one hour.'],
    [36, 'Your avatar is deleted from this console after 36 hours.'],
    [24, 'Your avatar is deleted from this console after one day.'],
    [168, 'Your avatar is deleted from this console after 7 days.'],
  ])('stands beside what happens otherwise: %s', async (keep_hours, words) => {
    await renderScreen(
      screens['reveal-card'],
      new FakeHost(screens['reveal-card'], {}, sandboxBackend, { keep_hours }),
    );
    expect(byTestId('kept').textContent).toBe(words);
  });
});

describe('Forgetting', () => {
  it('goes from working to done, and any press leaves it', async () => {
    const host = await renderScreen(screens.forgetting);
    // Nothing can be pressed during the deletion.
    expect(focusedTestId()).toBe('said');
    expect(screen.queryByRole('button')).toBeNull();
    for (const key of ['k', 'l', 'Enter', 'Escape']) await fireEvent.keyDown(document.body, { key });
    expect(screen.queryByTestId('languages')).toBeNull();
    expect(host.calledActions).toEqual([]);
    host.showScreen(screens.forgotten);
    await waitFor(() =>
      expect(byTestId('status-title').textContent).toBe(languageStore.translate('forgotten-title')),
    );
    await waitFor(() => expect(focusedTestId()).toBe('again'));
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(host.calledActions).toEqual([]);
    await fireEvent.keyDown(document.body, { key: 'k' });
    expect(host.calledActions).toEqual(['returnToAttract']);
  });

  it('is left automatically a few seconds after the end', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const host = await renderScreen(screens.forgetting);
    vi.advanceTimersByTime(300_000);
    await tick();
    expect(host.calledActions).toEqual([]);
    host.showScreen(screens.forgotten);
    await tick();
    vi.advanceTimersByTime(6000);
    expect(host.calledActions).toEqual([]);
    vi.advanceTimersByTime(2000);
    expect(host.calledActions).toEqual(['returnToAttract']);
  });

  it('stays after a failure, for the staff', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const host = await renderScreen(screens['forget-failed']);
    vi.advanceTimersByTime(120_000);
    await tick();
    expect(host.calledActions).toEqual([]);
    expect(byTestId('forgetting').textContent).toContain(languageStore.translate('forget-failed-line'));
    await fireEvent.click(byTestId('again'));
    expect(host.calledActions).toEqual(['returnToAttract']);
  });
});
