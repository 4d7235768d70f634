import { fireEvent, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { at, focused, show } from '../../fake/render-app';
import { attendance } from '../state/attendance-timer';
import type { Screen } from '../generated/view';
import { screens } from '../../fake/fixtures';
import { UNATTENDED } from '../state/idle-limits';
import { say } from '../state/language-store.svelte';

const opened = vi.hoisted(() => ({ stage: vi.fn() }));
vi.mock('../reveal/avatar-stage', () => ({ openAvatarStage: opened.stage }));

const face: Screen = { ...screens.reveal, glb: 'avatar://a/avatar.glb', portrait: 'avatar://a/portrait.png' };
const stage = () => ({ turn: vi.fn(), close: vi.fn(), make: vi.fn(), faces: [] });

beforeEach(() => {
  opened.stage.mockReset().mockImplementation(async () => stage());
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => vi.useRealTimers());
// These stay real: what is awaited is the page, not time.
const settled = async () => {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setTimeout(resolve));
};
const wait = async (seconds: number) => {
  await settled();
  vi.advanceTimersByTime(seconds * 1000);
  await settled();
};
const onto = async (id: string) => {
  await settled();
  expect(focused()).toBe(id);
};

describe('a face that nobody may be waiting for', () => {
  it('is neither loaded nor shown before somebody asks for it', async () => {
    const host = await show(screens.making);
    await wait(UNATTENDED - 10);
    host.show(screens.saving);
    await wait(10);
    host.show(face);
    await onto('show-me');
    expect(at('status-title').textContent).toBe(say('gate-title'));
    expect(at('screen').dataset.screen).toBe('reveal');
    for (const id of ['turntable', 'portrait', 'this-is-me', 'forget'])
      expect(screen.queryByTestId(id)).toBeNull();
    expect(document.querySelector('.place')?.classList).toContain('alone');
    expect(document.querySelector('img')).toBeNull();
    expect(opened.stage).not.toHaveBeenCalled();
    // The same snapshot once more opens nothing.
    host.show({ ...face });
    await settled();
    expect(opened.stage).not.toHaveBeenCalled();
    await fireEvent.click(at('show-me'));
    await settled();
    expect(at('turntable').dataset.ready).toBe('true');
    await onto('this-is-me');
    expect(opened.stage).toHaveBeenCalledTimes(1);
    expect(host.asked).toEqual([]);
  });

  it('is given up unseen when nobody comes', async () => {
    const host = await show(screens.making);
    await wait(UNATTENDED);
    host.show(face);
    await onto('show-me');
    await wait(91);
    await onto('idle-stay');
    // Somebody is there, but asked for nothing yet.
    await fireEvent.click(at('idle-stay'));
    await onto('show-me');
    await wait(91);
    await wait(30);
    expect(host.asked).toEqual(['again']);
    expect(opened.stage).not.toHaveBeenCalled();
  });

  it('can be left, which is not asked: nothing of anybody was shown', async () => {
    const host = await show(screens.making);
    await wait(UNATTENDED);
    host.show(face);
    await onto('show-me');
    expect(at('not-mine').textContent).toBe(say('gate-not-mine'));
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    await settled();
    expect(host.asked).toEqual(['again']);
    expect(screen.queryByTestId('leaving')).toBeNull();
  });

  it('waits on a page that was loaded anew', async () => {
    attendance.leave();
    await show(face, undefined, false);
    expect(focused()).toBe('show-me');
    expect(opened.stage).not.toHaveBeenCalled();
  });

  it('waits when the page was loaded anew while it was fetched, unless somebody is there since', async () => {
    attendance.leave();
    const host = await show(screens.saving, undefined, false);
    host.show(face);
    await onto('show-me');
    host.show(screens.saving);
    await settled();
    attendance.leave();
    await fireEvent.pointerDown(document.body);
    host.show(face);
    await onto('this-is-me');
  });
});

describe('a face whose visitor gave a sign', () => {
  it('is shown at once', async () => {
    const host = await show(screens.making);
    await wait(UNATTENDED * 3);
    await fireEvent.keyDown(document.body, { key: 'ArrowUp' });
    await wait(UNATTENDED - 1);
    host.show(face);
    await onto('this-is-me');
  });

  it('is shown at once, too, where a phone was at it all the time', async () => {
    const host = await show(screens.invite);
    await wait(200);
    // Somebody scanned.
    host.show(screens.making);
    await wait(UNATTENDED - 1);
    host.show(face);
    await onto('this-is-me');
  });

  it('is not shown for a pointer under which the screen changed', async () => {
    const host = await show(screens.making);
    await fireEvent.pointerMove(document.body, { screenX: 5 });
    await wait(UNATTENDED);
    await fireEvent.pointerMove(document.body, { screenX: 5 });
    host.show(face);
    await onto('show-me');
  });
});
