import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { exportLink, lanBackend, qrSvg, realBackend, screens } from '../../fake/fixtures';
import { FakeHost } from '../../fake/host';
import { byTestId, focusedTestId, renderScreen } from '../../fake/render-app';
import { languageStore } from '../state/language-store.svelte';

afterEach(() => vi.useRealTimers());

describe('Invite', () => {
  it('shows the code as a picture and the link as text', async () => {
    await renderScreen(screens.invite, new FakeHost(screens.invite, {}, lanBackend));
    const source = (byTestId('qr') as HTMLImageElement).src;
    const prefix = 'data:image/svg+xml;base64,';
    expect(source.startsWith(prefix)).toBe(true);
    expect(atob(source.slice(prefix.length))).toBe(qrSvg);
    expect(byTestId('link').textContent).toBe(exportLink);
  });

  it('requests a new code, simulates the phone, and goes back', async () => {
    const host = await renderScreen(screens.invite, new FakeHost(screens.invite, {}, lanBackend));
    await fireEvent.click(byTestId('new-code'));
    await fireEvent.click(byTestId('open-phone'));
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    expect(host.calledActions).toEqual(['requestNewCode', 'simulatePhone', 'cancelVisit']);
  });

  it('requests one new code at a time', async () => {
    const host = new FakeHost(screens.invite, {}, lanBackend);
    let answer = () => {};
    const newCode = vi.fn(() => new Promise<void>((resolve) => (answer = resolve)));
    host.requestNewCode = newCode;
    await renderScreen(screens.invite, host);
    await fireEvent.click(byTestId('new-code'));
    await fireEvent.click(byTestId('new-code'));
    expect(newCode).toHaveBeenCalledTimes(1);
    answer();
    await Promise.resolve();
    await Promise.resolve();
    await fireEvent.click(byTestId('new-code'));
    expect(newCode).toHaveBeenCalledTimes(2);
  });

  it('ignores a key held since the previous screen', async () => {
    await renderScreen(screens.invite, new FakeHost(screens.invite, {}, lanBackend));
    const key = new KeyboardEvent('keydown', { key: 'Enter', repeat: true, bubbles: true, cancelable: true });
    byTestId('new-code').dispatchEvent(key);
    expect(key.defaultPrevented).toBe(true);
  });

  it('offers no simulated phone with a real backend', async () => {
    await renderScreen(screens['invite-real'], new FakeHost(screens['invite-real'], {}, realBackend));
    for (const id of ['play-phone', 'open-phone']) expect(screen.queryByTestId(id)).toBeNull();
    expect(screen.queryByTestId('demo-note')).toBeNull();
    expect(screen.queryByTestId('sandbox')).toBeNull();
  });

  it('draws a phone beside a code that no phone can open', async () => {
    const host = await renderScreen(screens.invite);
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('invite-demo-title'));
    expect(screen.queryByTestId('new-code')).toBeNull();
    expect(byTestId('screen').textContent).toContain(languageStore.translate('invite-demo-step-1'));
    expect(focusedTestId()).toBe('play-phone');
    for (const id of ['qr', 'link']) expect(screen.queryByTestId(id)).toBeNull();
    expect(byTestId('demo-phone').dataset.phase).toBe('idle');
    // No code of the visit, not even an unreadable one: the screen would look broken.
    expect(byTestId('demo-phone').querySelector('img')).toBeNull();
    expect(screen.getAllByTestId('drawn-code')).toHaveLength(2);
    // Once the operator lets phones in, the code is shown.
    host.showScreen(screens.invite, undefined, lanBackend);
    await waitFor(() =>
      expect(byTestId('status-title').textContent).toBe(languageStore.translate('invite-title')),
    );
    for (const id of ['demo-note', 'demo-phone']) expect(screen.queryByTestId(id)).toBeNull();
  });

  it('tells the staff how to let phones in, in the operator’s detail and not on the stage', async () => {
    await renderScreen(screens.invite);
    expect(byTestId('demo-note').textContent?.trim()).toBe(languageStore.translate('invite-demo-line'));
    await fireEvent.keyDown(document.body, { key: 'F9' });
    await waitFor(() => expect(byTestId('operator-detail').textContent).toContain('F10, Backend'));
  });

  describe('with the drawn phone', () => {
    const steps = () =>
      [...document.querySelectorAll('ol:not(.steps) li')].map((step) => step.getAttribute('aria-current'));

    it('scans, takes a picture, and has the sandbox record an avatar', async () => {
      vi.useFakeTimers();
      const host = new FakeHost(screens.invite);
      const rendered = renderScreen(screens.invite, host);
      await vi.advanceTimersByTimeAsync(100);
      await rendered;
      byTestId('play-phone').click();
      await vi.advanceTimersByTimeAsync(100);
      expect([byTestId('demo-phone').dataset.phase, ...steps()]).toEqual(['scan', 'step', null, null]);
      expect(byTestId('play-phone').getAttribute('aria-disabled')).toBe('true');
      // A second press does not start it again.
      byTestId('play-phone').click();
      await vi.advanceTimersByTimeAsync(2000);
      expect([byTestId('demo-phone').dataset.phase, ...steps()]).toEqual(['picture', null, 'step', null]);
      expect(host.calledActions).toEqual([]);
      host.refusals.set('recordWithSandbox', 'the code has an avatar');
      await vi.advanceTimersByTimeAsync(3000);
      expect(host.calledActions).toEqual(['recordWithSandbox']);
      // It is refused: the phone waits again.
      expect(byTestId('demo-phone').dataset.phase).toBe('idle');
      expect(byTestId('trouble').textContent).toContain(languageStore.translate('problem-window-refused'));
    });

    it('stops when the visitor leaves', async () => {
      vi.useFakeTimers();
      const host = new FakeHost(screens.invite, { cancelVisit: () => screens.attract });
      const rendered = renderScreen(screens.invite, host);
      await vi.advanceTimersByTimeAsync(100);
      await rendered;
      byTestId('play-phone').click();
      await vi.advanceTimersByTimeAsync(1000);
      byTestId('back').click();
      await vi.advanceTimersByTimeAsync(10_000);
      expect(host.calledActions).toEqual(['cancelVisit']);
    });
  });

  it('shows that code to the staff, with its link and the phone page', async () => {
    const host = await renderScreen(screens.invite);
    expect(screen.queryByTestId('open-phone')).toBeNull();
    await fireEvent.keyDown(document.body, { key: 'F9' });
    await fireEvent.click(byTestId('open-phone'));
    expect(host.calledActions).toEqual(['simulatePhone']);
    expect(atob((byTestId('detail-qr') as HTMLImageElement).src.split(',')[1] ?? '')).toBe(qrSvg);
    expect(document.querySelector('[data-row=Link]')?.textContent).toBe(exportLink);
    expect(byTestId('operator-detail').textContent).toContain('F10');
    host.showScreen(screens.invite, undefined, lanBackend);
    await waitFor(() => expect(screen.queryByTestId('detail-qr')).toBeNull());
    // Where phones reach it is not for visitors.
    expect(byTestId('operator-detail').textContent).toContain(lanBackend.phones_at);
    expect(byTestId('screen').textContent).not.toContain(lanBackend.phones_at);
  });

  it('does not replace the code on an accidental press', async () => {
    const host = await renderScreen(screens.invite, new FakeHost(screens.invite, {}, lanBackend));
    expect(focusedTestId()).toBe('code');
    await fireEvent.keyDown(byTestId('code'), { key: 'Enter' });
    await fireEvent.keyUp(byTestId('code'), { key: 'Enter' });
    await fireEvent.click(byTestId('code'));
    expect(host.calledActions).toEqual([]);
    for (const id of ['new-code', 'open-phone']) expect(byTestId(id).classList).not.toContain('primary');
  });

  it('counts down when the end is known', async () => {
    vi.useFakeTimers({
      now: Date.parse('2026-11-22T12:00:00Z'),
      toFake: ['Date', 'setInterval', 'clearInterval'],
    });
    const host = await renderScreen({ ...screens.invite, expires_at: '2026-11-22T12:01:05Z' });
    expect(byTestId('time-left').textContent).toContain('1:05');
    vi.advanceTimersByTime(6000);
    await waitFor(() => expect(byTestId('time-left').textContent).toContain('0:59'));
    // Only the program decides that the code has expired.
    vi.advanceTimersByTime(120_000);
    await waitFor(() => expect(byTestId('time-left').textContent).toContain('0:00'));
    expect(screen.queryByTestId('expired')).toBeNull();
    host.showScreen({ ...screens.invite, expires_at: '2026-11-22T12:01:05Z', expired: true });
    await waitFor(() => expect(byTestId('expired')).toBeTruthy());
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('problem-token-expired'));
    for (const id of ['time-left', 'qr', 'link']) expect(screen.queryByTestId(id)).toBeNull();
    await waitFor(() => expect(focusedTestId()).toBe('new-code'));
  });

  it('looks the same after the code has expired, whether the backend or the clock has said it', async () => {
    const look = () => ({
      words: byTestId('status-title').closest('.words')?.textContent?.replace(/\s+/g, ' '),
      buttons: [...document.querySelectorAll('.actions button')].map((one) => [
        one.className,
        one.textContent?.trim(),
      ]),
      steps: byTestId('steps').querySelector('[aria-current]')?.textContent?.trim(),
      symbol: document.querySelector('[data-symbol]')?.getAttribute('data-symbol'),
      focus: document.activeElement?.textContent?.trim(),
    });
    const expired = screens['invite-expired'];
    const host = await renderScreen(expired, new FakeHost(expired, {}, realBackend));
    const before = look();
    expect(before.symbol).toBe('code');
    host.showScreen(screens.ended);
    await waitFor(() => expect(byTestId('screen').dataset.screen).toBe('ended'));
    await waitFor(() => expect(look()).toEqual(before));
    await fireEvent.click(byTestId('once-more'));
    expect(host.calledActions).toEqual(['returnToAttract', 'startVisit']);
  });
});
