import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import App from './App.svelte';
import type { Screen } from './generated/view';
import { FakeHost } from './host/fake';
import { link, offline, qr, realBackend, type ScreenName, screens } from './host/fixtures';

const opened = vi.hoisted(() => ({ stage: vi.fn() }));
vi.mock('./reveal/avatar-stage', () => ({ openAvatarStage: opened.stage }));

const at = (id: string) => screen.getByTestId(id);
const focused = () => document.activeElement?.getAttribute('data-testid');

async function show(first: Screen, host = new FakeHost(first)): Promise<FakeHost> {
  render(App, { host });
  await waitFor(() => expect(at('screen').dataset.screen).toBe(first.kind));
  await waitFor(() => expect(focused()).toBeTruthy());
  return host;
}

beforeEach(() => {
  opened.stage.mockReset();
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => vi.useRealTimers());

describe('every screen', () => {
  it.each<[ScreenName, string]>([
    ['attract', 'start'],
    ['preparing', 'back'],
    ['preparing-trouble', 'back'],
    ['invite', 'play-phone'],
    ['invite-real', 'new-code'],
    ['invite-trouble', 'play-phone'],
    ['making-queue', 'back'],
    ['making', 'back'],
    ['making-open', 'back'],
    ['making-failed', 'new-code'],
    ['making-failed-sandbox', 'play-phone'],
    ['making-unknown', 'back'],
    ['saving', 'back'],
    ['saving-open', 'back'],
    ['reveal-card', 'again'],
    ['ended', 'again'],
  ])('%s has words, and the focus on %s', async (name, primary) => {
    await show(screens[name]);
    expect(at('status-title').textContent?.trim()).not.toBe('');
    expect(focused()).toBe(primary);
  });

  it('says what stands in the way, and goes on', async () => {
    const host = await show(screens['invite-trouble']);
    expect(at('trouble').textContent).toContain(offline.visitor);
    host.show(screens.invite);
    await waitFor(() => expect(at('trouble').textContent).not.toContain(offline.visitor));
    expect(at('trouble').textContent).not.toContain(offline.operator);
  });

  it('takes the focus along when it changes', async () => {
    const host = await show(screens.attract);
    host.show(screens.invite);
    await waitFor(() => expect(focused()).toBe('play-phone'));
    host.show(screens.making);
    await waitFor(() => expect(focused()).toBe('back'));
    host.show(screens['making-failed']);
    await waitFor(() => expect(focused()).toBeTruthy());
    host.show(screens.ended);
    await waitFor(() => expect(focused()).toBe('again'));
  });
});

describe('snapshots', () => {
  it('that are stale are dropped', async () => {
    const host = await show(screens.attract);
    host.show(screens.making, 7);
    await waitFor(() => expect(at('screen').dataset.screen).toBe('making'));
    host.show(screens.invite, 6);
    await tick();
    expect(at('screen').dataset.screen).toBe('making');
    host.show({ ...screens.making, progress: 77 }, 8);
    await waitFor(() => expect(at('progress').textContent).toContain('77'));
    expect(at('screen').dataset.screen).toBe('making');
  });

  it('are not followed any more when the window goes', async () => {
    const host = new FakeHost(screens.attract);
    const { unmount } = render(App, { host });
    await waitFor(() => expect(host.followers).toBe(1));
    unmount();
    expect(host.followers).toBe(0);
  });

  it('that never come leave words on the screen', async () => {
    const host = new FakeHost(screens.attract);
    host.lost = new Error('no such command');
    render(App, { host });
    await waitFor(() => expect(at('problem').textContent).toContain('lost its program'));
    expect(at('problem').textContent).toContain('no such command');
  });
});

describe('Attract', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['the button', () => fireEvent.click(at('start'))],
    ['a tap anywhere', () => fireEvent.click(at('screen'))],
    ['any key', () => fireEvent.keyDown(document.body, { key: 'k' })],
    ['an arrow', () => fireEvent.keyDown(document.body, { key: 'ArrowDown' })],
  ])('starts by %s, once', async (_, act) => {
    const host = await show(screens.attract);
    await act();
    expect(host.asked).toEqual(['start']);
  });

  it.each([
    { key: 'Tab' },
    { key: 'Escape' },
    { key: 'F10' },
    { key: 'Shift' },
    { key: 'a', repeat: true },
    { key: 'r', ctrlKey: true },
  ])('does not start by %o', async (init) => {
    const host = await show(screens.attract);
    await fireEvent.keyDown(document.body, init);
    expect(host.asked).toEqual([]);
  });

  it('does not take the second half of a double click for a wish', async () => {
    const host = await show(screens.attract);
    await fireEvent.click(at('screen'), { detail: 2 });
    expect(host.asked).toEqual([]);
  });

  it('says when it cannot start, and can be tried again', async () => {
    const host = await show(screens.attract);
    host.refusals.set('start', offline);
    await fireEvent.click(at('start'));
    await waitFor(() => expect(at('trouble').textContent).toContain(offline.visitor));
    await fireEvent.click(at('start'));
    expect(host.asked).toEqual(['start', 'start']);
  });
});

describe('Invite', () => {
  it('shows the code as a picture and the link as text', async () => {
    await show(screens.invite);
    const source = (at('qr') as HTMLImageElement).src;
    const prefix = 'data:image/svg+xml;base64,';
    expect(source.startsWith(prefix)).toBe(true);
    expect(atob(source.slice(prefix.length))).toBe(qr);
    expect(at('link').textContent).toBe(link);
  });

  it('asks for a new code, for the phone, and goes back', async () => {
    const host = await show(screens.invite);
    await fireEvent.click(at('new-code'));
    await fireEvent.click(at('play-phone'));
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    expect(host.asked).toEqual(['newCode', 'playPhone', 'cancel']);
  });

  it('asks for one new code at a time', async () => {
    const host = new FakeHost(screens.invite);
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
    await show(screens.invite);
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

  it('counts down where the end is known', async () => {
    vi.useFakeTimers({
      now: Date.parse('2026-11-22T12:00:00Z'),
      toFake: ['Date', 'setInterval', 'clearInterval'],
    });
    await show({ ...screens.invite, expires_at: '2026-11-22T12:01:05Z' });
    expect(at('time-left').textContent).toContain('1:05');
    vi.advanceTimersByTime(6000);
    await waitFor(() => expect(at('time-left').textContent).toContain('0:59'));
    vi.advanceTimersByTime(120_000);
    await waitFor(() => expect(at('time-left').textContent).toContain('run out'));
  });
});

describe('a gamepad', () => {
  it('starts by any button, moves on by A, and goes back by B', async () => {
    let pressed: number[] = [];
    const pad = () => ({
      connected: true,
      index: 0,
      axes: [0, 0, 0, 0],
      buttons: Array.from({ length: 16 }, (_, i) => ({ pressed: pressed.includes(i) })),
    });
    vi.stubGlobal('navigator', Object.assign(Object.create(navigator), { getGamepads: () => [pad()] }));
    const host = await show(screens.attract);
    const press = async (button: number, ...asked: string[]) => {
      pressed = [button];
      await waitFor(() => expect(host.asked).toEqual(asked));
      pressed = [];
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    };
    await press(6, 'start');
    host.show(screens.invite);
    await waitFor(() => expect(focused()).toBe('play-phone'));
    await press(0, 'start', 'playPhone');
    await press(1, 'start', 'playPhone', 'cancel');
    vi.unstubAllGlobals();
  });
});

describe('Making', () => {
  it('says the place in the queue', async () => {
    const host = await show(screens['making-queue']);
    expect(at('queue-position').textContent).toBe('3');
    host.show({ ...screens['making-queue'], queue_position: 0 });
    await waitFor(() => expect(at('queue-position').textContent).toContain('next'));
    expect(screen.queryByTestId('progress')).toBeNull();
  });

  it('says how far it is', async () => {
    await show(screens.making);
    expect(at('progress').getAttribute('aria-valuenow')).toBe('42');
    expect(screen.queryByTestId('queue-position')).toBeNull();
  });

  it('explains a failure, shows the code again and offers a new one', async () => {
    const host = await show(screens['making-failed']);
    expect(at('status-title').textContent).toContain('did not work out');
    expect(at('qr')).toBeTruthy();
    await fireEvent.click(at('new-code'));
    expect(host.asked).toEqual(['newCode']);
  });

  it('tells an unknown status in words', async () => {
    await show(screens['making-unknown']);
    expect(at('screen').textContent).toContain('in quality review');
  });

  it('asks before it leaves', async () => {
    const host = await show(screens.making);
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    await waitFor(() => expect(focused()).toBe('stay'));
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    await waitFor(() => expect(focused()).toBe('back'));
    expect(host.asked).toEqual([]);
    await fireEvent.click(at('back'));
    await fireEvent.click(await screen.findByTestId('leave'));
    expect(host.asked).toEqual(['cancel']);
  });
});

describe('Saving', () => {
  it('has a bar a file and one for all', async () => {
    await show(screens.saving);
    expect(screen.getAllByTestId('file-row')).toHaveLength(3);
    const bars = screen.getAllByRole('progressbar').map((bar) => bar.getAttribute('aria-valuenow'));
    expect(bars).toEqual(['73', '61', '100', '29']);
  });

  it('claims nothing where a size is unknown, and counts what it does not list', async () => {
    await show(screens['saving-open']);
    expect(screen.getAllByRole('progressbar')[0]?.hasAttribute('aria-valuenow')).toBe(false);
    expect(screen.getAllByTestId('file-row')).toHaveLength(4);
    expect(at('screen').textContent).toContain('and 3 more files');
  });
});

describe('Reveal', () => {
  const stage = () => ({ turn: vi.fn(), close: vi.fn() });
  const withModel: Screen = {
    ...screens.reveal,
    glb: 'avatar://a/avatar.glb',
    portrait: 'avatar://a/portrait.png',
  };

  it('shows the avatar, turns it by keys, and gives it back when it leaves', async () => {
    const shown = stage();
    opened.stage.mockResolvedValue(shown);
    const host = await show(withModel);
    await waitFor(() => expect(at('stage-canvas').dataset.ready).toBe('true'));
    expect(opened.stage.mock.calls[0]?.[1]).toBe('avatar://a/avatar.glb');
    expect(at('saved-directory').textContent).toBe(screens.reveal.directory);
    await fireEvent.keyDown(document.body, { key: 'ArrowLeft' });
    expect(shown.turn).toHaveBeenCalledTimes(1);
    // A new snapshot of the same avatar does not load it again.
    host.show({ ...withModel });
    await fireEvent.click(at('again'));
    expect(host.asked).toEqual(['again']);
    host.show(screens.attract);
    await waitFor(() => expect(shown.close).toHaveBeenCalledTimes(1));
    expect(opened.stage).toHaveBeenCalledTimes(1);
  });

  it('falls back to the portrait when it cannot be shown in 3D', async () => {
    opened.stage.mockRejectedValue(new Error('no WebGL'));
    await show(withModel);
    await waitFor(() =>
      expect((at('portrait') as HTMLImageElement).getAttribute('src')).toBe('avatar://a/portrait.png'),
    );
    expect(screen.queryByTestId('stage-canvas')).toBeNull();
  });

  it('falls back when the graphics card takes it away', async () => {
    const shown = stage();
    opened.stage.mockResolvedValue(shown);
    await show(withModel);
    await waitFor(() => expect(at('stage-canvas').dataset.ready).toBe('true'));
    opened.stage.mock.calls[0]?.[2].onLost(new Error('lost'));
    await waitFor(() => expect(at('portrait')).toBeTruthy());
    expect(shown.close).toHaveBeenCalledTimes(1);
  });

  it('shows a card when the portrait cannot be had either', async () => {
    opened.stage.mockRejectedValue(new Error('no WebGL'));
    await show(withModel);
    await waitFor(() => expect(at('portrait')).toBeTruthy());
    await fireEvent.error(at('portrait'));
    await waitFor(() => expect(at('card')).toBeTruthy());
  });

  it('closes an avatar that was loaded too late', async () => {
    const shown = stage();
    let loaded = (_: unknown) => {};
    opened.stage.mockReturnValue(new Promise((resolve) => (loaded = resolve)));
    const host = await show(withModel);
    await waitFor(() => expect(opened.stage).toHaveBeenCalled());
    host.show(screens.attract);
    await waitFor(() => expect(at('screen').dataset.screen).toBe('attract'));
    expect(opened.stage.mock.calls[0]?.[2].signal.aborted).toBe(true);
    loaded(shown);
    await waitFor(() => expect(shown.close).toHaveBeenCalledTimes(1));
  });
});

describe('Ended', () => {
  it('speaks to the visitor, and to the operator on demand', async () => {
    const host = await show(screens.ended);
    expect(at('status-title').textContent).toBe(screens.ended.problem.visitor);
    const detail = document.getElementById('detail');
    expect(detail?.hidden).toBe(true);
    await fireEvent.keyDown(document.body, { key: 'i' });
    await waitFor(() => expect(detail?.hidden).toBe(false));
    expect(detail?.textContent).toContain(screens.ended.problem.operator);
    await fireEvent.click(at('again'));
    expect(host.asked).toEqual(['again']);
  });
});

it('has no style in markup, which the page’s policy would refuse', () => {
  const sources = import.meta.glob<string>('./**/*.svelte', {
    query: '?raw',
    import: 'default',
    eager: true,
  });
  expect(Object.keys(sources).length).toBeGreaterThan(10);
  for (const [file, source] of Object.entries(sources)) expect(source, file).not.toMatch(/\sstyle=|\{@html/);
});
