import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backendUnreachable, sandboxBackend, screens } from '../../fake/fixtures';
import { FakeHost } from '../../fake/host';
import { byTestId, focusedTestId, renderScreen } from '../../fake/render-app';
import { languageStore } from './language-store.svelte';

afterEach(() => vi.useRealTimers());

describe('an absent visitor', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
  const wait = async (seconds: number) => {
    vi.advanceTimersByTime(seconds * 1000);
    await tick();
  };

  it('is warned, and then the screen is cleared', async () => {
    const host = await renderScreen({ ...screens.reveal, portrait: 'avatar://a/portrait.png' });
    await wait(89);
    expect(screen.queryByTestId('idle')).toBeNull();
    await wait(2);
    expect(byTestId('idle').textContent).toContain(languageStore.translate('idle-title'));
    await waitFor(() => expect(focusedTestId()).toBe('idle-stay'));
    expect(host.calledActions).toEqual([]);
    await wait(30);
    expect(host.calledActions).toEqual(['returnToAttract']);
    expect(screen.queryByTestId('idle')).toBeNull();
  });

  it('is told that the avatar is deleted when it is not kept', async () => {
    const host = await renderScreen(
      screens.reveal,
      new FakeHost(screens.reveal, {}, sandboxBackend, { keep_hours: 0 }),
    );
    await wait(95);
    expect(byTestId('idle').textContent).toContain('and your avatar is deleted');
    host.setBooth({ keep_hours: null });
    await tick();
    expect(byTestId('idle').textContent).not.toContain('deleted');
  });

  it('gets more time on request', async () => {
    const host = await renderScreen(screens.reveal);
    await wait(95);
    await fireEvent.click(byTestId('idle-stay'));
    expect(screen.queryByTestId('idle')).toBeNull();
    await waitFor(() => expect(focusedTestId()).toBe('again'));
    await wait(80);
    await fireEvent.pointerDown(document.body);
    await wait(80);
    expect(screen.queryByTestId('idle')).toBeNull();
    await wait(15);
    // A touch beside the buttons does the same.
    await fireEvent.click(byTestId('idle').parentElement as HTMLElement);
    expect(screen.queryByTestId('idle')).toBeNull();
    expect(host.calledActions).toEqual([]);
  });

  it('is counted anew when the operator leaves the desk', async () => {
    const host = await renderScreen(screens.reveal);
    await wait(60);
    await fireEvent.keyDown(document.body, { key: 'F10' });
    await screen.findByTestId('pad');
    await wait(59);
    await fireEvent.keyDown(byTestId('pad'), { key: 'F10' });
    await waitFor(() => expect(screen.queryByTestId('desk')).toBeNull());
    await wait(85);
    expect(host.calledActions).toEqual([]);
    expect(screen.queryByTestId('idle')).toBeNull();
    await wait(6);
    expect(byTestId('idle')).toBeTruthy();
  });

  it('is noticed however often the program sends snapshots', async () => {
    const host = await renderScreen(screens.reveal);
    for (let i = 0; i < 230; i += 1) {
      host.setBooth({ voice: i % 2 === 0 });
      await tick();
      await wait(0.4);
    }
    expect(byTestId('idle')).toBeTruthy();
  });

  it('leaves neither the focus nor the operator’s detail to the next one', async () => {
    await renderScreen(screens.attract);
    byTestId('tongue-ja').focus();
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(byTestId('operator-detail')).toBeTruthy();
    await wait(46);
    expect(focusedTestId()).toBe('start');
    expect(screen.queryByTestId('operator-detail')).toBeNull();
  });

  it('is not waited for after the answer', async () => {
    const host = await renderScreen(screens.ended);
    await wait(61);
    await fireEvent.click(byTestId('idle-leave'));
    expect(host.calledActions).toEqual(['returnToAttract']);
  });

  it('is not warned while an avatar is made, and late at the QR code', async () => {
    const host = await renderScreen(screens.making);
    await wait(3600);
    host.showScreen(screens.invite);
    await waitFor(() => expect(byTestId('screen').dataset.screen).toBe('invite'));
    await wait(295);
    expect(screen.queryByTestId('idle')).toBeNull();
    await wait(60);
    expect(host.calledActions).toEqual(['cancelVisit']);
  });

  it('is not simulated by a gamepad with a resting stick', async () => {
    const axes = [0, 0.3, 0.3, 0];
    const lying = () => ({ connected: true, mapping: 'standard', index: 0, axes, buttons: [] });
    vi.stubGlobal('navigator', Object.assign(Object.create(navigator), { getGamepads: () => [lying()] }));
    const frames = () => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
    const host = await renderScreen(screens.reveal);
    await wait(60);
    await frames();
    await wait(31);
    expect(byTestId('idle')).toBeTruthy();
    await fireEvent.click(byTestId('idle-stay'));
    await wait(60);
    // The stick is moved.
    axes[2] = 0.9;
    await frames();
    await wait(60);
    expect(screen.queryByTestId('idle')).toBeNull();
    await frames();
    await wait(31);
    expect(byTestId('idle')).toBeTruthy();
    expect(host.calledActions).toEqual([]);
    vi.unstubAllGlobals();
  });

  it('is cleared again when the program refused', async () => {
    const host = await renderScreen(screens.reveal);
    host.refusals.set('returnToAttract', backendUnreachable);
    await wait(121);
    await wait(121);
    expect(host.calledActions).toEqual(['returnToAttract', 'returnToAttract']);
  });
});
