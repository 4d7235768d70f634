import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import App from './App.svelte';
import type { Screen } from './generated/view';
import { FakeHost } from './host/fake';
import { link, offline, qr, realBackend, type ScreenName, screens } from './host/fixtures';
import { language, say, speak } from './language/language.svelte';

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
  speak('en');
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
    ['invite-expired', 'new-code'],
    ['invite-trouble', 'play-phone'],
    ['making-next', 'back'],
    ['making-trouble', 'back'],
    ['making-queue', 'back'],
    ['making', 'back'],
    ['making-open', 'back'],
    ['making-failed', 'new-code'],
    ['making-failed-sandbox', 'play-phone'],
    ['making-unknown', 'back'],
    ['saving', 'back'],
    ['saving-open', 'back'],
    ['reveal-card', 'this-is-me'],
    ['ended', 'again'],
  ])('%s has words, and the focus on %s', async (name, primary) => {
    await show(screens[name]);
    expect(at('status-title').textContent?.trim()).not.toBe('');
    expect(focused()).toBe(primary);
  });

  it('says what stands in the way, and goes on', async () => {
    const host = await show(screens['invite-trouble']);
    expect(at('trouble').textContent).toContain(say('problem-backend-unreachable'));
    // The operator's words are not for visitors.
    expect(at('screen').textContent).not.toContain(offline.operator);
    expect(at('screen').textContent).not.toContain(offline.hint);
    host.show(screens.invite);
    await waitFor(() => expect(at('trouble').textContent?.trim()).toBe(''));
  });

  it('takes the focus along when it changes', async () => {
    const host = await show(screens.attract);
    host.show(screens.invite);
    await waitFor(() => expect(focused()).toBe('play-phone'));
    host.show(screens.making);
    await waitFor(() => expect(focused()).toBe('back'));
    host.show(screens['making-failed']);
    await waitFor(() => expect(focused()).toBe('new-code'));
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
    await waitFor(() => expect(at('problem').textContent).toContain(say('problem-window-lost')));
    expect(at('problem').textContent).toContain('no such command');
  });
});

describe('Attract', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['the button', () => fireEvent.click(at('start'))],
    ['a tap anywhere', () => fireEvent.click(at('screen'))],
    ['any key', () => fireEvent.keyDown(document.body, { key: 'k' })],
  ])('starts by %s, once', async (_, act) => {
    const host = await show(screens.attract);
    await act();
    expect(host.asked).toEqual(['start']);
  });

  it.each([
    { key: 'Tab' },
    { key: 'ArrowDown' },
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
    await waitFor(() => expect(at('trouble').textContent).toContain(say('problem-backend-unreachable')));
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
    await waitFor(() => expect(at('expired')).toBeTruthy());
    expect(at('status-title').textContent).toBe(say('invite-expired-title'));
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
    await waitFor(() => expect(at('queue-position').textContent).toBe(say('making-queue-next')));
    expect(screen.queryByTestId('progress')).toBeNull();
  });

  it('says how far it is', async () => {
    await show(screens.making);
    expect(at('progress').getAttribute('aria-valuenow')).toBe('42');
    expect(screen.queryByTestId('queue-position')).toBeNull();
  });

  it('explains a failure, shows the code again and offers a new one', async () => {
    const host = await show(screens['making-failed']);
    expect(at('status-title').textContent).toBe(say('making-failed-title'));
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

describe('Found you', () => {
  it('is said to who comes from the code, and then the work', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const host = new FakeHost(screens.invite);
    render(App, { host });
    await vi.waitFor(() => expect(at('screen').dataset.screen).toBe('invite'));
    host.show(screens['making-queue']);
    await tick();
    expect(at('status-title').textContent).toBe(say('making-found-title'));
    await vi.waitFor(() => expect(focused()).toBe('back'));
    vi.advanceTimersByTime(3000);
    await tick();
    expect(at('status-title').textContent).toBe(say('making-queue-title'));
    expect(focused()).toBe('back');
  });

  it('is not said of a recording that failed', async () => {
    const host = await show(screens.invite);
    host.show(screens['making-failed']);
    await waitFor(() => expect(at('status-title').textContent).toBe(say('making-failed-title')));
  });
});

describe('the time left', () => {
  it('is said once there is a pace, and a stall when there is none any more', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const host = await show({ ...screens.making, progress: 0 });
    expect(at('outlook').dataset.kind).toBe('open');
    for (const progress of [10, 20, 30, 40]) {
      vi.advanceTimersByTime(5000);
      host.show({ ...screens.making, progress });
      await tick();
    }
    // Thirty seconds at this pace.
    expect(at('outlook').textContent?.trim()).toBe('About 30–40 seconds to go');
    vi.advanceTimersByTime(40_000);
    await tick();
    expect(at('outlook').textContent?.trim()).toBe(say('making-stalled'));
    // A connection that is gone is no stall, and gives no pace.
    host.show({ ...screens.making, progress: 40, trouble: offline });
    await tick();
    expect(screen.queryByTestId('outlook')).toBeNull();
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
    expect(screen.getAllByTestId('file-row')).toHaveLength(2);
    expect(at('screen').textContent).toContain('and 5 more files');
  });
});

describe('Reveal', () => {
  const stage = () => ({ turn: vi.fn(), close: vi.fn(), make: vi.fn(), faces: ['smile', 'wink'] });
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

  it('makes the faces that it can make', async () => {
    const shown = stage();
    opened.stage.mockResolvedValue(shown);
    await show(withModel);
    await fireEvent.click(await screen.findByTestId('face-wink'));
    expect(shown.make.mock.calls).toEqual([['wink']]);
    expect(screen.queryByTestId('face-frown')).toBeNull();
  });

  it('goes on as a game would when the visitor says *this is me*', async () => {
    const host = await show(screens.reveal);
    await fireEvent.click(at('this-is-me'));
    expect(at('status-title').textContent).toBe(say('reveal-welcome-title'));
    await waitFor(() => expect(focused()).toBe('again'));
    await fireEvent.click(at('again'));
    expect(host.asked).toEqual(['again']);
  });

  it('gives every arrow to the figure while it has the focus', async () => {
    const shown = stage();
    opened.stage.mockResolvedValue(shown);
    const host = await show(withModel);
    await waitFor(() => expect(at('stage-canvas').dataset.ready).toBe('true'));
    at('stage-canvas').parentElement?.focus();
    for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'])
      await fireEvent.keyDown(document.activeElement as Element, { key });
    expect(shown.turn).toHaveBeenCalledTimes(4);
    await fireEvent.keyDown(document.activeElement as Element, { key: 'Escape' });
    expect(focused()).toBe('this-is-me');
    expect(host.asked).toEqual([]);
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
    expect(at('status-title').textContent).toBe(say('problem-token-expired'));
    expect(at('screen').textContent).toContain(say('problem-token-expired.do'));
    const detail = document.getElementById('detail');
    expect(detail?.hidden).toBe(true);
    await fireEvent.keyDown(document.body, { key: 'i' });
    await waitFor(() => expect(detail?.hidden).toBe(false));
    expect(detail?.textContent).toContain(screens.ended.problem.operator);
    await fireEvent.click(at('again'));
    expect(host.asked).toEqual(['again']);
  });
});

describe('the language', () => {
  it('is chosen on the first screen, which does not begin by that', async () => {
    const host = await show(screens.attract);
    await fireEvent.click(at('tongue-de'));
    expect(language()).toBe('de');
    expect(at('start').textContent).toBe('Los geht’s');
    expect(focused()).toBe('start');
    expect(host.asked).toEqual([]);
    at('tongue-fr').focus();
    await fireEvent.keyDown(at('tongue-fr'), { key: 'Enter' });
    expect(host.asked).toEqual([]);
  });

  it('is chosen on every other screen over it, and what is below waits', async () => {
    const host = await show(screens.invite);
    await fireEvent.click(at('language'));
    await waitFor(() => expect(focused()).toBe('tongue-en'));
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    await waitFor(() => expect(screen.queryByTestId('languages')).toBeNull());
    expect(host.asked).toEqual([]);
    await fireEvent.keyDown(document.body, { key: 'l' });
    await waitFor(() => expect(focused()).toBe('tongue-en'));
    await fireEvent.click(at('tongue-ja'));
    await waitFor(() => expect(focused()).toBe('play-phone'));
    expect(at('new-code').textContent?.trim()).toBe('新しいコード');
    expect(document.documentElement.lang).toBe('ja');
  });

  it('is the screen’s own again for the next visitor', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    await show(screens.attract);
    await fireEvent.click(at('tongue-es'));
    vi.advanceTimersByTime(30_000);
    expect(language()).toBe('es');
    vi.advanceTimersByTime(20_000);
    expect(language()).toBe('en');
  });
});

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

  it('gets more time on request', async () => {
    const host = await show(screens.reveal);
    await wait(95);
    await fireEvent.click(at('idle-stay'));
    expect(screen.queryByTestId('idle')).toBeNull();
    await waitFor(() => expect(focused()).toBe('this-is-me'));
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

  it('is cleared again when the program refused', async () => {
    const host = await show(screens.reveal);
    host.refusals.set('again', offline);
    await wait(121);
    await wait(121);
    expect(host.asked).toEqual(['again', 'again']);
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
