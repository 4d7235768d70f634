import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { at, focused, show } from '../../fake/render-app';
import { FakeHost } from '../../fake/host';
import { link, openBackend, qr, realBackend, screens } from '../../fake/fixtures';
import { say } from '../state/language-store.svelte';

afterEach(() => vi.useRealTimers());

describe('Invite', () => {
  it('shows the code as a picture and the link as text', async () => {
    await show(screens.invite, new FakeHost(screens.invite, {}, openBackend));
    const source = (at('qr') as HTMLImageElement).src;
    const prefix = 'data:image/svg+xml;base64,';
    expect(source.startsWith(prefix)).toBe(true);
    expect(atob(source.slice(prefix.length))).toBe(qr);
    expect(at('link').textContent).toBe(link);
  });

  it('asks for a new code, for the phone, and goes back', async () => {
    const host = await show(screens.invite, new FakeHost(screens.invite, {}, openBackend));
    await fireEvent.click(at('new-code'));
    await fireEvent.click(at('play-phone'));
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    expect(host.asked).toEqual(['newCode', 'playPhone', 'cancel']);
  });

  it('asks for one new code at a time', async () => {
    const host = new FakeHost(screens.invite, {}, openBackend);
    let answer = () => {};
    const newCode = vi.fn(() => new Promise<void>((resolve) => (answer = resolve)));
    host.newCode = newCode;
    await show(screens.invite, host);
    await fireEvent.click(at('new-code'));
    await fireEvent.click(at('new-code'));
    expect(newCode).toHaveBeenCalledTimes(1);
    answer();
    await Promise.resolve();
    await Promise.resolve();
    await fireEvent.click(at('new-code'));
    expect(newCode).toHaveBeenCalledTimes(2);
  });

  it('ignores a key that is held since the screen before', async () => {
    await show(screens.invite, new FakeHost(screens.invite, {}, openBackend));
    const key = new KeyboardEvent('keydown', { key: 'Enter', repeat: true, bubbles: true, cancelable: true });
    at('new-code').dispatchEvent(key);
    expect(key.defaultPrevented).toBe(true);
  });

  it('offers no phone to play at a real backend, and no demo words', async () => {
    await show(screens['invite-real'], new FakeHost(screens['invite-real'], {}, realBackend));
    expect(screen.queryByTestId('play-phone')).toBeNull();
    expect(screen.queryByTestId('demo-note')).toBeNull();
    expect(screen.queryByTestId('sandbox')).toBeNull();
  });

  it('sends nobody to a code that no phone can open', async () => {
    const host = await show(screens.invite);
    expect(at('status-title').textContent).toBe(say('invite-demo-title'));
    expect(screen.queryByTestId('new-code')).toBeNull();
    expect(at('demo-note').textContent).toBe(say('invite-phones-cannot'));
    expect(at('screen').textContent).not.toContain(say('invite-step-1'));
    expect(focused()).toBe('play-phone');
    for (const id of ['qr', 'link', 'phones']) expect(screen.queryByTestId(id)).toBeNull();
    expect(document.querySelector('.place')?.classList).toContain('alone');
    // Once the operator lets phones in, it is a code like every other.
    host.show(screens.invite, undefined, openBackend);
    await waitFor(() => expect(at('status-title').textContent).toBe(say('invite-title')));
    expect(at('screen').textContent).toContain(say('invite-step-1'));
    expect(at('phones').textContent).toContain(openBackend.phones_at);
    expect(screen.queryByTestId('demo-note')).toBeNull();
  });

  it('shows that code to the staff, with its link', async () => {
    const host = await show(screens.invite);
    await fireEvent.click(at('detail'));
    expect(atob((at('detail-qr') as HTMLImageElement).src.split(',')[1] ?? '')).toBe(qr);
    expect(document.querySelector('[data-row=Link]')?.textContent).toBe(link);
    expect(at('operator-detail').textContent).toContain('F10');
    host.show(screens.invite, undefined, openBackend);
    await waitFor(() => expect(screen.queryByTestId('detail-qr')).toBeNull());
    expect(screen.queryByTestId('detail')).toBeNull();
  });

  it('costs nobody the code that they are scanning by a stray press', async () => {
    const host = await show(screens.invite, new FakeHost(screens.invite, {}, openBackend));
    expect(focused()).toBe('code');
    await fireEvent.keyDown(at('code'), { key: 'Enter' });
    await fireEvent.keyUp(at('code'), { key: 'Enter' });
    await fireEvent.click(at('code'));
    expect(host.asked).toEqual([]);
    for (const id of ['new-code', 'play-phone']) expect(at(id).classList).not.toContain('primary');
  });

  it('counts down where the end is known', async () => {
    vi.useFakeTimers({
      now: Date.parse('2026-11-22T12:00:00Z'),
      toFake: ['Date', 'setInterval', 'clearInterval'],
    });
    const host = await show({ ...screens.invite, expires_at: '2026-11-22T12:01:05Z' });
    expect(at('time-left').textContent).toContain('1:05');
    vi.advanceTimersByTime(6000);
    await waitFor(() => expect(at('time-left').textContent).toContain('0:59'));
    // When it is over is for the program to say: the code stays until then.
    vi.advanceTimersByTime(120_000);
    await waitFor(() => expect(at('time-left').textContent).toContain('0:00'));
    expect(screen.queryByTestId('expired')).toBeNull();
    host.show({ ...screens.invite, expires_at: '2026-11-22T12:01:05Z', expired: true });
    await waitFor(() => expect(at('expired')).toBeTruthy());
    expect(at('status-title').textContent).toBe(say('invite-expired-title'));
    expect(screen.queryByTestId('time-left')).toBeNull();
  });
});
