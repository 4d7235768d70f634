import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { device } from '../state/input-device.svelte';
import { PAD_AWAY } from '../state/desk-store.svelte';
import { at, focused, openDesk, press } from '../../fake/render-desk';
import { W } from './messages';

const closed = () => openDesk((desk) => (desk.open = false));

async function type(pin: string): Promise<void> {
  for (const key of `${pin}`) press(key, at('pin'));
  press('Enter', at('pin'));
  await tick();
}

beforeEach(() => {
  device.last = 'keyboard';
});
afterEach(() => vi.useRealTimers());

describe('the PIN pad', () => {
  it('opens the panel by keyboard', async () => {
    await closed();
    expect(focused()).toBe('pin');
    await type('1234');
    await waitFor(() => expect(at('section').dataset.section).toBe('backend'));
    expect(document.body.textContent).not.toContain('1234');
  });

  it('opens it by pointer or touch', async () => {
    await closed();
    for (const key of ['1', '3', 'delete', '2', '3', '4', 'enter']) await fireEvent.click(at(`key-${key}`));
    await waitFor(() => expect(at('section')).toBeTruthy());
  });

  it('opens it by gamepad', async () => {
    device.last = 'gamepad';
    const { desk, door } = await openDesk((of) => {
      of.open = false;
      of.pin = '5555';
    });
    expect(focused()).toBe('key-5');
    for (let i = 0; i < 4; i += 1) door.onIntent?.('confirm');
    await tick();
    expect(at('pin').getAttribute('aria-label')).toBe(W.pad.field(4));
    at('key-enter').focus();
    door.onIntent?.('confirm');
    await waitFor(() => expect(at('section')).toBeTruthy());
    expect(desk.open).toBe(true);
  });

  it('is left by B and by Escape', async () => {
    const { door } = await closed();
    door.onIntent?.('back');
    expect(door.open).toBe(false);
    const again = await closed();
    press('Escape');
    expect(again.door.open).toBe(false);
  });

  it('says that a PIN was wrong, takes the next, and counts a wait down', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date', 'performance'] });
    const opened = await closed();
    await type('9999');
    await waitFor(() => expect(at('pad-said').textContent).toBe(W.pad.wrong));
    await type('9999');
    await type('9999');
    await waitFor(() => expect(at('pad-said').textContent).toContain(W.pad.wait(5)));
    expect(at('key-1').getAttribute('aria-disabled')).toBe('true');
    // What is typed meanwhile counts for nothing.
    await type('1234');
    expect(opened.desk.calls.filter((call) => call === 'enter')).toHaveLength(3);
    vi.advanceTimersByTime(2000);
    await tick();
    expect(at('pad-said').textContent).toContain(W.pad.wait(3));
    vi.advanceTimersByTime(3000);
    await tick();
    expect(at('key-1').getAttribute('aria-disabled')).toBe('false');
    await type('1234');
    await waitFor(() => expect(at('section')).toBeTruthy());
  });

  it('asks for a PIN at the first opening, twice', async () => {
    const opened = await openDesk((desk) => {
      desk.open = false;
      desk.pin = null;
    });
    expect(at('pad').textContent).toContain(W.pad.choose);
    await type('12');
    expect(at('pad-said').textContent).toBe(W.pad.short);
    await type('2580');
    expect(at('pad').textContent).toContain(W.pad.repeat);
    await type('2581');
    expect(at('pad-said').textContent).toBe(W.pad.differ);
    expect(opened.desk.pin).toBeNull();
    await type('2580');
    await type('2580');
    await waitFor(() => expect(at('section')).toBeTruthy());
    expect(opened.desk.pin).toBe('2580');
  });

  it('takes no letters for a first PIN, which a gamepad could not enter', async () => {
    await openDesk((desk) => {
      desk.open = false;
      desk.pin = null;
    });
    press('a', at('pin'));
    press('1', at('pin'));
    await tick();
    expect(at('pin').getAttribute('aria-label')).toBe(W.pad.field(1));
  });

  it('says what the program says when it cannot ask', async () => {
    const opened = await closed();
    opened.desk.refusals.set('enter', {
      code: 'x',
      visitor: '',
      operator: 'The disk is full',
      hint: 'Free some',
    });
    await type('1234');
    await waitFor(() => expect(at('pad-said').textContent).toBe('The disk is full. Free some'));
  });

  it('goes by itself when nobody enters anything', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const { door } = await closed();
    vi.advanceTimersByTime(PAD_AWAY - 5000);
    expect(door.open).toBe(true);
    vi.advanceTimersByTime(10_000);
    expect(door.open).toBe(false);
  });
});

describe('a door that closes meanwhile', () => {
  it('brings the pad back, and the same section after the PIN', async () => {
    const opened = await openDesk(() => {}, 'retention');
    opened.desk.lock();
    await fireEvent.click(at('keep-24'));
    await waitFor(() => expect(screen.queryByTestId('pad')).not.toBeNull());
    expect(screen.queryByTestId('section')).toBeNull();
    await type('1234');
    await waitFor(() => expect(at('section').dataset.section).toBe('retention'));
    expect(opened.desk.view.keep_hours).toBeNull();
  });

  it('is locked when one leaves', async () => {
    const { desk, door } = await openDesk();
    await fireEvent.click(at('leave'));
    expect(door.open).toBe(false);
    expect(desk.acts).toEqual([{ kind: 'lock' }]);
    expect(desk.open).toBe(false);
  });

  it('is kept open by a sign of life while somebody reads', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const { desk } = await openDesk();
    const asked = () => desk.calls.filter((call) => call === 'panel').length;
    expect(asked()).toBe(1);
    await fireEvent.pointerMove(document.body);
    expect(asked()).toBe(1);
    vi.advanceTimersByTime(61_000);
    await fireEvent.pointerMove(document.body);
    await fireEvent.pointerMove(document.body);
    expect(asked()).toBe(2);
    // And found closed, it asks for the PIN.
    desk.lock();
    vi.advanceTimersByTime(61_000);
    await fireEvent.pointerMove(document.body);
    await waitFor(() => expect(screen.queryByTestId('pad')).not.toBeNull());
  });
});

it('a program that does not answer is said, and asked again', async () => {
  const { desk } = await openDesk((of) => of.refusals.set('panel', new Error('no such command'))).catch(
    () => ({
      desk: null,
    }),
  );
  expect(desk).toBeNull();
  expect(document.body.textContent).toContain(W.lost);
  await fireEvent.click(screen.getByText(W.again));
  await waitFor(() => expect(at('section')).toBeTruthy());
});
