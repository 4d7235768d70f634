import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { at, focused, show } from '../../fake/render-app';
import { FakeHost } from '../../fake/host';
import { backend, offline, screens } from '../../fake/fixtures';
import { say } from '../state/language-store.svelte';

const opened = vi.hoisted(() => ({ stage: vi.fn() }));
vi.mock('../reveal/avatar-stage', () => ({ openAvatarStage: opened.stage }));
afterEach(() => vi.useRealTimers());

const withModel = { ...screens.reveal, glb: 'avatar://a/avatar.glb' };

describe('forget me', () => {
  it('asks once, and keeps where the answer is no', async () => {
    const host = await show(screens.reveal);
    await fireEvent.click(at('forget'));
    await waitFor(() => expect(focused()).toBe('keep'));
    expect(at('forget-question').textContent).toContain(say('forget-ask'));
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    await waitFor(() => expect(focused()).toBe('again'));
    expect(host.asked).toEqual([]);
  });

  it('takes the avatar off the screen before the program has answered', async () => {
    const close = vi.fn();
    opened.stage.mockResolvedValue({ turn: vi.fn(), close, make: vi.fn(), faces: [], statistics: null });
    const host = await show(withModel);
    await waitFor(() => expect(at('turntable').dataset.ready).toBe('true'));
    host.forget = () => new Promise(() => {});
    await fireEvent.click(at('forget'));
    await fireEvent.click(await screen.findByTestId('forget-yes'));
    await tick();
    expect(close).toHaveBeenCalledTimes(1);
    expect(screen.queryByTestId('turntable')).toBeNull();
    expect(at('forgetting').dataset.stand).toBe('working');
    // Nor does it come back because something else changed.
    host.set({ voice: false });
    host.show({ ...withModel });
    await tick();
    expect(screen.queryByTestId('turntable')).toBeNull();
  });

  it('that the program refuses is told to the visitor, without the face', async () => {
    const host = await show({ ...screens.reveal, portrait: 'avatar://a/portrait.png' });
    host.refusals.set('forget', offline);
    await fireEvent.click(at('forget'));
    await fireEvent.click(await screen.findByTestId('forget-yes'));
    await waitFor(() => expect(at('forgetting').dataset.stand).toBe('failed'));
    expect(screen.queryByTestId('portrait')).toBeNull();
    expect(at('status-title').textContent).toBe(say('forget-failed-title'));
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(at('operator-detail').textContent).toContain(offline.operator);
    await fireEvent.click(at('again'));
    expect(host.asked).toEqual(['forget', 'again']);
  });

  it.each([
    ['ended', false],
    ['ended-kept', true],
    ['making-failed', true],
    ['making', false],
  ] as const)('at %s: %s', async (name, offered) => {
    await show(screens[name]);
    expect(screen.queryByTestId('forget') !== null).toBe(offered);
  });

  it.each([
    [null, say('keep-for-ever')],
    [0, say('keep-until-finished')],
    [1, 'Deleted from this console after one hour.'],
    [36, 'Deleted from this console after 36 hours.'],
    [24, 'Deleted from this console after one day.'],
    [168, 'Deleted from this console after 7 days.'],
  ])('stands beside what happens otherwise: %s', async (keep_hours, words) => {
    await show(screens['reveal-card'], new FakeHost(screens['reveal-card'], {}, backend, { keep_hours }));
    expect(at('kept').textContent).toBe(words);
  });
});

describe('Forgetting', () => {
  it('goes from work to done, and any press leaves it', async () => {
    const host = await show(screens.forgetting);
    // There is nothing to press meanwhile, not even by whoever presses the button at hand.
    expect(focused()).toBe('said');
    expect(screen.queryByRole('button')).toBeNull();
    for (const key of ['k', 'l', 'Enter', 'Escape']) await fireEvent.keyDown(document.body, { key });
    expect(screen.queryByTestId('languages')).toBeNull();
    expect(host.asked).toEqual([]);
    host.show(screens.forgotten);
    await waitFor(() => expect(at('status-title').textContent).toBe(say('forgotten-title')));
    await waitFor(() => expect(focused()).toBe('again'));
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(host.asked).toEqual([]);
    await fireEvent.keyDown(document.body, { key: 'k' });
    expect(host.asked).toEqual(['again']);
  });

  it('leaves by itself after a few seconds, however long the work took', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const host = await show(screens.forgetting);
    vi.advanceTimersByTime(300_000);
    await tick();
    expect(host.asked).toEqual([]);
    host.show(screens.forgotten);
    await tick();
    vi.advanceTimersByTime(6000);
    expect(host.asked).toEqual([]);
    vi.advanceTimersByTime(2000);
    expect(host.asked).toEqual(['again']);
  });

  it('that failed stays for the staff to read', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const host = await show(screens['forget-failed']);
    vi.advanceTimersByTime(120_000);
    await tick();
    expect(host.asked).toEqual([]);
    expect(at('forgetting').textContent).toContain(say('forget-failed-line'));
    await fireEvent.click(at('again'));
    expect(host.asked).toEqual(['again']);
  });
});
