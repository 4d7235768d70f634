import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { screens } from '../../fake/fixtures';
import { FakeHost } from '../../fake/host';
import App from '../App.svelte';
import { messages } from '../desk/messages';
import { languageStore } from './language-store.svelte';

const at = (id: string) => screen.getByTestId(id);

async function stage(): Promise<FakeHost> {
  const host = new FakeHost(screens.attract);
  render(App, { host });
  await waitFor(() => expect(at('screen').dataset.screen).toBe('attract'));
  return host;
}

function touch(x: number, y: number): Promise<unknown> {
  const at = { clientX: x, clientY: y, bubbles: true };
  document.body.dispatchEvent(new PointerEvent('pointerdown', { ...at, pointerType: 'touch' }));
  return fireEvent.click(document.body, at);
}

// The first import is slow.
beforeAll(() => import('../desk/Desk.svelte'));
beforeEach(() => languageStore.setLocale('en'));

describe('opening the desk', () => {
  it('by F10 starts no visit, and F10 again closes it', async () => {
    const host = await stage();
    await fireEvent.keyDown(document.body, { key: 'F10' });
    await screen.findByTestId('pad');
    expect(document.querySelector('.stage')?.hasAttribute('inert')).toBe(true);
    await fireEvent.keyDown(at('pad'), { key: 'F10' });
    await waitFor(() => expect(screen.queryByTestId('desk')).toBeNull());
    expect(document.querySelector('.stage')?.hasAttribute('inert')).toBe(false);
    expect(host.calledActions).toEqual([]);
  });

  it('by five touches in the upper left corner starts no visit', async () => {
    const host = await stage();
    for (let i = 0; i < 4; i += 1) await touch(10, 10);
    expect(screen.queryByTestId('desk')).toBeNull();
    await touch(10, 10);
    await screen.findByTestId('pad');
    expect(host.calledActions).toEqual([]);
  });

  it('needs all touches in the corner, and no mouse', async () => {
    const host = await stage();
    for (let i = 0; i < 4; i += 1) await touch(10, 10);
    await touch(500, 500);
    expect(host.calledActions).toEqual(['startVisit']);
    await touch(10, 10);
    for (let i = 0; i < 6; i += 1)
      document.body.dispatchEvent(
        new PointerEvent('pointerdown', { clientX: 10, clientY: 10, bubbles: true, pointerType: 'mouse' }),
      );
    expect(screen.queryByTestId('desk')).toBeNull();
  });

  it('keeps its keys and clicks from the stage, also those that close it', async () => {
    const host = await stage();
    await fireEvent.keyDown(document.body, { key: 'F10' });
    await screen.findByTestId('pad');
    await fireEvent.keyDown(at('pin'), { key: '1' });
    await fireEvent.keyDown(document.body, { key: 'x' });
    await fireEvent.click(at('key-7'));
    expect(at('pin').getAttribute('aria-label')).toBe(messages.pad.field(2));
    await fireEvent.click(at('pad-leave'));
    await waitFor(() => expect(screen.queryByTestId('desk')).toBeNull());
    expect(host.calledActions).toEqual([]);
  });

  it('stops the stage while the unlocked desk hides it, and not below the PIN pad', async () => {
    await stage();
    const isCovered = () => document.querySelector('.stage')?.classList.contains('covered');
    await fireEvent.keyDown(document.body, { key: 'F10' });
    await screen.findByTestId('pad');
    expect(isCovered()).toBe(false);
    for (const key of ['1', '2', '3', '4', 'Enter']) await fireEvent.keyDown(at('pin'), { key });
    await screen.findByTestId('section');
    await waitFor(() => expect(isCovered()).toBe(true));
    await fireEvent.keyDown(at('section'), { key: 'F10' });
    await waitFor(() => expect(isCovered()).toBe(false));
  });

  it('pauses the idle timer of the visit below', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const host = new FakeHost(screens.reveal);
    host.desk.isOpen = true;
    render(App, { host });
    await waitFor(() => expect(at('screen').dataset.screen).toBe('reveal'));
    await fireEvent.keyDown(document.body, { key: 'F10' });
    await screen.findByTestId('section');
    vi.advanceTimersByTime(9 * 60_000);
    expect(host.calledActions).toEqual([]);
    // Without input the desk closes, and the stage counts on its own.
    vi.advanceTimersByTime(60_000);
    await waitFor(() => expect(screen.queryByTestId('desk')).toBeNull());
    expect(host.desk.isOpen).toBe(false);
    vi.advanceTimersByTime(121_000);
    await waitFor(() => expect(host.calledActions).toEqual(['returnToAttract']));
    vi.useRealTimers();
  });
});
