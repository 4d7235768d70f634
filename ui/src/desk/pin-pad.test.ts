import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { byTestId, focusedTestId, pressKey, renderDesk } from '../../fake/render-desk';
import { DESK_IDLE_MS, PIN_PAD_IDLE_MS } from '../state/desk-store.svelte';
import { inputDevice } from '../state/input-device.svelte';
import { messages } from './messages';

const closed = () => renderDesk((desk) => (desk.isOpen = false));

async function type(pin: string): Promise<void> {
  for (const key of `${pin}`) pressKey(key, byTestId('pin'));
  pressKey('Enter', byTestId('pin'));
  await tick();
}

beforeEach(() => {
  inputDevice.last = 'keyboard';
});
afterEach(() => vi.useRealTimers());

describe('the PIN pad', () => {
  it('opens the panel by keyboard', async () => {
    await closed();
    expect(focusedTestId()).toBe('pin');
    await type('1234');
    await waitFor(() => expect(byTestId('section').dataset.section).toBe('backend'));
    expect(document.body.textContent).not.toContain('1234');
  });

  it('opens it by pointer or touch', async () => {
    await closed();
    for (const key of ['1', '3', 'delete', '2', '3', '4', 'enter'])
      await fireEvent.click(byTestId(`key-${key}`));
    await waitFor(() => expect(byTestId('section')).toBeTruthy());
  });

  it('opens it by gamepad', async () => {
    inputDevice.last = 'gamepad';
    const { desk, deskOverlay } = await renderDesk((of) => {
      of.isOpen = false;
      of.pin = '5555';
    });
    expect(focusedTestId()).toBe('key-5');
    for (let i = 0; i < 4; i += 1) deskOverlay.gamepadHandler?.('confirm');
    await tick();
    expect(byTestId('pin').getAttribute('aria-label')).toBe(messages.pad.field(4));
    byTestId('key-enter').focus();
    deskOverlay.gamepadHandler?.('confirm');
    await waitFor(() => expect(byTestId('section')).toBeTruthy());
    expect(desk.isOpen).toBe(true);
  });

  it('is left by B and by Escape', async () => {
    const { deskOverlay } = await closed();
    deskOverlay.gamepadHandler?.('back');
    expect(deskOverlay.isOpen).toBe(false);
    const again = await closed();
    pressKey('Escape');
    expect(again.deskOverlay.isOpen).toBe(false);
  });

  it('reports a wrong PIN, takes the next, and counts down a waiting time', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date', 'performance'] });
    const opened = await closed();
    await type('9999');
    await waitFor(() => expect(byTestId('pad-said').textContent).toBe(messages.pad.wrong));
    await type('9999');
    await type('9999');
    await waitFor(() => expect(byTestId('pad-said').textContent).toContain(messages.pad.wait(5)));
    expect(byTestId('key-1').getAttribute('aria-disabled')).toBe('true');
    // Input during the waiting time is ignored.
    await type('1234');
    expect(opened.desk.calls.filter((call) => call === 'enterPin')).toHaveLength(3);
    vi.advanceTimersByTime(2000);
    await tick();
    expect(byTestId('pad-said').textContent).toContain(messages.pad.wait(3));
    vi.advanceTimersByTime(3000);
    await tick();
    expect(byTestId('key-1').getAttribute('aria-disabled')).toBe('false');
    await type('1234');
    await waitFor(() => expect(byTestId('section')).toBeTruthy());
  });

  it('asks for a new PIN at the first opening, twice', async () => {
    const opened = await renderDesk((desk) => {
      desk.isOpen = false;
      desk.pin = null;
    });
    expect(byTestId('pad').textContent).toContain(messages.pad.choose);
    await type('12');
    expect(byTestId('pad-said').textContent).toBe(messages.pad.short);
    await type('2580');
    expect(byTestId('pad').textContent).toContain(messages.pad.repeat);
    await type('2581');
    expect(byTestId('pad-said').textContent).toBe(messages.pad.differ);
    expect(opened.desk.pin).toBeNull();
    await type('2580');
    await type('2580');
    await waitFor(() => expect(byTestId('section')).toBeTruthy());
    expect(opened.desk.pin).toBe('2580');
  });

  it('says before the first digit that it is too late for a first PIN, and how to set one', async () => {
    const { desk, deskOverlay } = await renderDesk((of) => {
      of.isOpen = false;
      of.pin = null;
      of.isFirstPinLate = true;
    });
    expect(byTestId('pad').textContent).toContain(messages.pad.late.replaceAll('`', ''));
    expect(byTestId('pad').textContent).toContain('copresence-kiosk --set-pin');
    expect(screen.queryByTestId('pin')).toBeNull();
    expect(screen.queryByTestId('key-1')).toBeNull();
    await waitFor(() => expect(focusedTestId()).toBe('pad-leave'));
    pressKey('1');
    pressKey('Enter', byTestId('pad'));
    expect(desk.calls).not.toContain('setFirstPin');
    await fireEvent.click(byTestId('pad-leave'));
    expect(deskOverlay.isOpen).toBe(false);
  });

  it('accepts only digits for a first PIN, so that a gamepad can enter it', async () => {
    await renderDesk((desk) => {
      desk.isOpen = false;
      desk.pin = null;
    });
    pressKey('a', byTestId('pin'));
    pressKey('1', byTestId('pin'));
    await tick();
    expect(byTestId('pin').getAttribute('aria-label')).toBe(messages.pad.field(1));
  });

  it('shows the program’s message when the call fails', async () => {
    const opened = await closed();
    opened.desk.refusals.set('enterPin', {
      code: 'x',
      visitor: '',
      operator: 'The disk is full',
      hint: 'Free some',
    });
    await type('1234');
    await waitFor(() => expect(byTestId('pad-said').textContent).toBe('The disk is full. Free some'));
  });

  it('closes without input', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const { deskOverlay } = await closed();
    vi.advanceTimersByTime(PIN_PAD_IDLE_MS - 5000);
    expect(deskOverlay.isOpen).toBe(true);
    vi.advanceTimersByTime(10_000);
    expect(deskOverlay.isOpen).toBe(false);
  });
});

describe('a lock that closes meanwhile', () => {
  it('shows the PIN pad, and the same section after the PIN', async () => {
    const opened = await renderDesk(() => {}, 'retention');
    opened.desk.lockByTimeout();
    await fireEvent.click(byTestId('keep-24'));
    await waitFor(() => expect(screen.queryByTestId('pad')).not.toBeNull());
    expect(screen.queryByTestId('section')).toBeNull();
    await type('1234');
    await waitFor(() => expect(byTestId('section').dataset.section).toBe('retention'));
    expect(opened.desk.panelView.keep_hours).toBeNull();
  });

  it('is locked on leaving', async () => {
    const { desk, deskOverlay } = await renderDesk();
    await fireEvent.click(byTestId('leave'));
    expect(deskOverlay.isOpen).toBe(false);
    expect(desk.panelActions).toEqual([{ kind: 'lock' }]);
    expect(desk.isOpen).toBe(false);
  });

  it.each([
    ['the desk', () => renderDesk(), DESK_IDLE_MS],
    ['the PIN pad', closed, PIN_PAD_IDLE_MS],
  ] as const)(
    'leaves %s at its time when the pointer is reported again at the same place',
    async (_, open, idleMs) => {
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
      const { deskOverlay } = await open();
      const report = () => fireEvent.pointerMove(document.body, { screenX: 5, screenY: 7 });
      await report();
      for (let waited = 0; waited < idleMs - 10_000; waited += 10_000) {
        vi.advanceTimersByTime(10_000);
        await report();
      }
      expect(deskOverlay.isOpen).toBe(true);
      vi.advanceTimersByTime(20_000);
      expect(deskOverlay.isOpen).toBe(false);
    },
  );

  it('stays open by reported activity', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const { desk } = await renderDesk();
    const asked = () => desk.calls.filter((call) => call === 'readPanel').length;
    expect(asked()).toBe(1);
    await fireEvent.pointerMove(document.body, { screenX: 1 });
    expect(asked()).toBe(1);
    vi.advanceTimersByTime(61_000);
    await fireEvent.pointerMove(document.body, { screenX: 2 });
    await fireEvent.pointerMove(document.body, { screenX: 3 });
    expect(asked()).toBe(2);
    // When the lock has closed, the PIN is asked for.
    desk.lockByTimeout();
    vi.advanceTimersByTime(61_000);
    await fireEvent.pointerMove(document.body, { screenX: 4 });
    await waitFor(() => expect(screen.queryByTestId('pad')).not.toBeNull());
  });
});

it('shows that the program does not answer, and tries again', async () => {
  const { desk } = await renderDesk((of) => of.refusals.set('readPanel', new Error('no such command'))).catch(
    () => ({
      desk: null,
    }),
  );
  expect(desk).toBeNull();
  expect(document.body.textContent).toContain(messages.lost);
  await fireEvent.click(screen.getByText(messages.again));
  await waitFor(() => expect(byTestId('section')).toBeTruthy());
});
