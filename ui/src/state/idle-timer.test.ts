import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { at, focused, show } from '../../fake/render-app';
import { FakeHost } from '../../fake/host';
import { backend, offline, screens } from '../../fake/fixtures';
import { say } from './language-store.svelte';

afterEach(() => vi.useRealTimers());

describe('a visitor who has gone', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
  const wait = async (seconds: number) => {
    vi.advanceTimersByTime(seconds * 1000);
    await tick();
  };

  it('is warned, and then the screen is cleared', async () => {
    const host = await show({ ...screens.reveal, portrait: 'avatar://a/portrait.png' });
    await wait(89);
    expect(screen.queryByTestId('idle')).toBeNull();
    await wait(2);
    expect(at('idle').textContent).toContain(say('idle-title'));
    await waitFor(() => expect(focused()).toBe('idle-stay'));
    expect(host.asked).toEqual([]);
    await wait(30);
    expect(host.asked).toEqual(['again']);
    expect(screen.queryByTestId('idle')).toBeNull();
  });

  it('is told that the avatar goes, too, where it is kept no longer', async () => {
    const host = await show(screens.reveal, new FakeHost(screens.reveal, {}, backend, { keep_hours: 0 }));
    await wait(95);
    expect(at('idle').textContent).toContain('and your avatar is deleted');
    host.set({ keep_hours: null });
    await tick();
    expect(at('idle').textContent).not.toContain('deleted');
  });

  it('gets more time on request', async () => {
    const host = await show(screens.reveal);
    await wait(95);
    await fireEvent.click(at('idle-stay'));
    expect(screen.queryByTestId('idle')).toBeNull();
    await waitFor(() => expect(focused()).toBe('again'));
    await wait(80);
    await fireEvent.pointerDown(document.body);
    await wait(80);
    expect(screen.queryByTestId('idle')).toBeNull();
    await wait(15);
    // A touch anywhere beside the buttons says the same.
    await fireEvent.click(at('idle').parentElement as HTMLElement);
    expect(screen.queryByTestId('idle')).toBeNull();
    expect(host.asked).toEqual([]);
  });

  it('is not waited for when the answer is no', async () => {
    const host = await show(screens.ended);
    await wait(61);
    await fireEvent.click(at('idle-leave'));
    expect(host.asked).toEqual(['again']);
  });

  it('is not disturbed while an avatar is made, and long at the code', async () => {
    const host = await show(screens.making);
    await wait(3600);
    host.show(screens.invite);
    await waitFor(() => expect(at('screen').dataset.screen).toBe('invite'));
    await wait(295);
    expect(screen.queryByTestId('idle')).toBeNull();
    await wait(60);
    expect(host.asked).toEqual(['cancel']);
  });

  it('leaves a gamepad behind whose stick is worn, or that lies on it', async () => {
    const axes = [0, 0.3, 0.3, 0];
    const lying = () => ({ connected: true, index: 0, axes, buttons: [] });
    vi.stubGlobal('navigator', Object.assign(Object.create(navigator), { getGamepads: () => [lying()] }));
    const frames = () => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
    const host = await show(screens.reveal);
    await wait(60);
    await frames();
    await wait(31);
    expect(at('idle')).toBeTruthy();
    await fireEvent.click(at('idle-stay'));
    await wait(60);
    // A hand takes it.
    axes[2] = 0.9;
    await frames();
    await wait(60);
    expect(screen.queryByTestId('idle')).toBeNull();
    await frames();
    await wait(31);
    expect(at('idle')).toBeTruthy();
    expect(host.asked).toEqual([]);
    vi.unstubAllGlobals();
  });

  it('is cleared again when the program refused', async () => {
    const host = await show(screens.reveal);
    host.refusals.set('again', offline);
    await wait(121);
    await wait(121);
    expect(host.asked).toEqual(['again', 'again']);
  });
});
