import { fireEvent, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { screens } from '../../fake/fixtures';
import { byTestId, focusedTestId, preferReducedMotion, renderScreen } from '../../fake/render-app';
import type { Screen } from '../generated/view';
import { ATTENDANCE_SECONDS } from '../state/idle-limits';
import { languageStore } from '../state/language-store.svelte';
import { visitorPresenceTimer } from '../state/visitor-presence-timer';

const opened = vi.hoisted(() => ({ stage: vi.fn() }));
vi.mock('../reveal/avatar-stage', () => ({ loadAndShowAvatar: opened.stage }));

const face: Screen = { ...screens.reveal, glb: 'avatar://a/avatar.glb', portrait: 'avatar://a/portrait.png' };
const stage = () => ({
  turn: vi.fn(),
  close: vi.fn(),
  makeFace: vi.fn(),
  setPaused: vi.fn(),
  setWelcoming: vi.fn(),
  faces: [],
});

beforeEach(() => {
  preferReducedMotion();
  opened.stage.mockReset().mockImplementation(async () => stage());
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => vi.useRealTimers());
// Real timers for the page itself.
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
  expect(focusedTestId()).toBe(id);
};

describe('an avatar whose visitor may have left', () => {
  it('is neither loaded nor shown before it is asked for', async () => {
    const host = await renderScreen(screens.making);
    await wait(ATTENDANCE_SECONDS - 10);
    host.showScreen(screens.saving);
    await wait(10);
    host.showScreen(face);
    await onto('show-me');
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('gate-title'));
    expect(byTestId('screen').dataset.screen).toBe('reveal');
    for (const id of ['turntable', 'portrait', 'this-is-me', 'forget'])
      expect(screen.queryByTestId(id)).toBeNull();
    expect(document.querySelector('.place')?.classList).toContain('alone');
    expect(document.querySelector('img')).toBeNull();
    expect(opened.stage).not.toHaveBeenCalled();
    // The same snapshot again opens nothing.
    host.showScreen({ ...face });
    await settled();
    expect(opened.stage).not.toHaveBeenCalled();
    await fireEvent.click(byTestId('show-me'));
    await settled();
    expect(byTestId('turntable').dataset.ready).toBe('true');
    await onto('this-is-me');
    expect(opened.stage).toHaveBeenCalledTimes(1);
    expect(host.calledActions).toEqual([]);
  });

  it('is given up unseen without input', async () => {
    const host = await renderScreen(screens.making);
    await wait(ATTENDANCE_SECONDS);
    host.showScreen(face);
    await onto('show-me');
    await wait(91);
    await onto('idle-stay');
    // The visitor has answered, but asked for nothing yet.
    await fireEvent.click(byTestId('idle-stay'));
    await onto('show-me');
    await wait(91);
    await wait(30);
    expect(host.calledActions).toEqual(['returnToAttract']);
    expect(opened.stage).not.toHaveBeenCalled();
  });

  it('can be left without a question', async () => {
    const host = await renderScreen(screens.making);
    await wait(ATTENDANCE_SECONDS);
    host.showScreen(face);
    await onto('show-me');
    expect(byTestId('not-mine').textContent).toBe(languageStore.translate('gate-not-mine'));
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    await settled();
    expect(host.calledActions).toEqual(['returnToAttract']);
    expect(screen.queryByTestId('leaving')).toBeNull();
  });

  it('waits on a reloaded page', async () => {
    visitorPresenceTimer.markAbsent();
    await renderScreen(face, undefined, false);
    expect(focusedTestId()).toBe('show-me');
    expect(opened.stage).not.toHaveBeenCalled();
  });

  it('waits when the page was reloaded during the download, unless there was input since', async () => {
    visitorPresenceTimer.markAbsent();
    const host = await renderScreen(screens.saving, undefined, false);
    host.showScreen(face);
    await onto('show-me');
    host.showScreen(screens.saving);
    await settled();
    visitorPresenceTimer.markAbsent();
    await fireEvent.pointerDown(document.body);
    host.showScreen(face);
    await onto('this-is-me');
  });
});

describe('an avatar whose visitor is present', () => {
  it('is shown at once', async () => {
    const host = await renderScreen(screens.making);
    await wait(ATTENDANCE_SECONDS * 3);
    await fireEvent.keyDown(document.body, { key: 'ArrowUp' });
    await wait(ATTENDANCE_SECONDS - 1);
    host.showScreen(face);
    await onto('this-is-me');
  });

  it('is shown at once when the phone was in use', async () => {
    const host = await renderScreen(screens.invite);
    await wait(200);
    // A phone has scanned the code.
    host.showScreen(screens.making);
    await wait(ATTENDANCE_SECONDS - 1);
    host.showScreen(face);
    await onto('this-is-me');
  });

  it('is not shown for a pointer below which only the screen changed', async () => {
    const host = await renderScreen(screens.making);
    await fireEvent.pointerMove(document.body, { screenX: 5 });
    await wait(ATTENDANCE_SECONDS);
    await fireEvent.pointerMove(document.body, { screenX: 5 });
    host.showScreen(face);
    await onto('show-me');
  });
});
