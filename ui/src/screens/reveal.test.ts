import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import problems from '../../../crates/copresence-engine/src/problem.rs?raw';
import { backendUnreachable, sandboxBackend, screens } from '../../fake/fixtures';
import { FakeHost } from '../../fake/host';
import {
  byTestId,
  focusedTestId,
  preferReducedMotion,
  pressEscape,
  renderScreen,
} from '../../fake/render-app';
import App from '../App.svelte';
import type { Screen } from '../generated/view';
import { languageStore } from '../state/language-store.svelte';
import { visitorPresenceTimer } from '../state/visitor-presence-timer';

const opened = vi.hoisted(() => ({ stage: vi.fn() }));
vi.mock('../reveal/avatar-stage', () => ({ loadAndShowAvatar: opened.stage }));
// The first import is slow.
beforeAll(() => import('../desk/Desk.svelte'), 240_000);
beforeEach(() => {
  preferReducedMotion();
  opened.stage.mockReset();
});

describe('Reveal', () => {
  const stage = () => ({
    turn: vi.fn(),
    setPaused: vi.fn(),
    setWelcoming: vi.fn(),
    close: vi.fn(),
    makeFace: vi.fn(),
    greetViewer: vi.fn(),
    faces: ['smile', 'wink'],
  });
  const withModel: Screen = {
    ...screens.reveal,
    glb: 'avatar://a/avatar.glb',
    portrait: 'avatar://a/portrait.png',
  };

  /** The backend delivered no GLB, or the screen shows none. */
  const portrayed: Screen = { ...screens.reveal, portrait: 'avatar://a/portrait.png' };

  it('shows the avatar, turns it by keys, and releases it', async () => {
    const shown = stage();
    opened.stage.mockResolvedValue(shown);
    const host = await renderScreen(withModel);
    await waitFor(() => expect(byTestId('turntable').dataset.ready).toBe('true'));
    expect(opened.stage.mock.calls[0]?.[1]).toBe('avatar://a/avatar.glb');
    // The folder is shown to the operator only.
    expect(byTestId('screen').textContent).not.toContain(screens.reveal.directory);
    await fireEvent.keyDown(document.body, { key: 'ArrowLeft' });
    expect(shown.turn).toHaveBeenCalledTimes(1);
    // A new snapshot of the same avatar does not load it again.
    host.showScreen({ ...withModel });
    await fireEvent.click(byTestId('this-is-me'));
    await fireEvent.click(byTestId('again'));
    expect(host.calledActions).toEqual(['returnToAttract']);
    host.showScreen(screens.attract);
    await waitFor(() => expect(shown.close).toHaveBeenCalledTimes(1));
    expect(opened.stage).toHaveBeenCalledTimes(1);
  });

  it('begins anew when the operator opens the avatar of another visitor over it', async () => {
    const host = await renderScreen(portrayed);
    await fireEvent.error(byTestId('portrait'));
    await waitFor(() => expect(screen.queryByTestId('portrait')).toBeNull());
    await fireEvent.click(byTestId('forget'));
    await waitFor(() => expect(byTestId('forget-question')).toBeTruthy());
    opened.stage.mockResolvedValue(stage());
    host.showScreen({ ...withModel, visit: 'another' });
    await waitFor(() => expect(byTestId('turntable').dataset.ready).toBe('true'));
    expect(screen.queryByTestId('forget-question'), 'it was asked about the first visit').toBeNull();
    host.showScreen({ ...portrayed, visit: 'third' });
    await waitFor(() => expect(byTestId('portrait')).toBeTruthy());
  });

  it('claims nothing before the avatar is drawn', async () => {
    let draw = (_: unknown) => {};
    opened.stage.mockReturnValue(new Promise((resolve) => (draw = resolve)));
    await renderScreen(withModel);
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('reveal-lighting'));
    expect(screen.queryByTestId('this-is-me')).toBeNull();
    expect(screen.queryByTestId('once-more')).toBeNull();
    // A habitual press does nothing, and going back still asks whether to leave.
    expect(focusedTestId()).toBe('said');
    const said = byTestId('said');
    await pressEscape();
    await waitFor(() => expect(focusedTestId()).toBe('stay'));
    await pressEscape();
    draw(stage());
    await waitFor(() => expect(focusedTestId()).toBe('this-is-me'));
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('reveal-title'));
    expect(byTestId('said')).toBe(said);
  });

  it('welcomes in the same live region', async () => {
    await renderScreen(portrayed);
    const said = byTestId('said');
    await fireEvent.click(byTestId('this-is-me'));
    expect(byTestId('said')).toBe(said);
  });

  it('stands still below the desk', async () => {
    const shown = stage();
    opened.stage.mockResolvedValue(shown);
    const host = new FakeHost(withModel);
    host.desk.isOpen = true;
    await renderScreen(withModel, host);
    await waitFor(() => expect(byTestId('turntable').dataset.ready).toBe('true'));
    await fireEvent.keyDown(document.body, { key: 'F10' });
    await screen.findByTestId('section');
    await waitFor(() => expect(shown.setPaused).toHaveBeenLastCalledWith(true));
    await fireEvent.keyDown(byTestId('section'), { key: 'F10' });
    await waitFor(() => expect(shown.setPaused).toHaveBeenLastCalledWith(false));
  });

  it('plays the supported faces', async () => {
    const shown = stage();
    opened.stage.mockResolvedValue(shown);
    await renderScreen(withModel);
    await fireEvent.click(await screen.findByTestId('face-wink'));
    expect(shown.makeFace.mock.calls).toEqual([['wink']]);
    expect(byTestId('face-word').textContent).toBe(languageStore.translate('face-wink'));
    expect(screen.queryByTestId('face-frown')).toBeNull();
  });

  it('welcomes the visitor after *Use this avatar*', async () => {
    const host = await renderScreen(portrayed);
    await fireEvent.click(byTestId('this-is-me'));
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('reveal-welcome-title'));
    expect(byTestId('screen').textContent).toContain(languageStore.translate('reveal-welcome-line'));
    await waitFor(() => expect(focusedTestId()).toBe('again'));
    await fireEvent.click(byTestId('again'));
    expect(host.calledActions).toEqual(['returnToAttract']);
  });

  it('does not say saved when the avatar is not kept', async () => {
    await renderScreen(portrayed, new FakeHost(portrayed, {}, sandboxBackend, { keep_hours: 0 }));
    await fireEvent.click(byTestId('this-is-me'));
    expect(byTestId('screen').textContent).not.toContain(languageStore.translate('reveal-welcome-line'));
    expect(byTestId('screen').textContent).toContain(languageStore.translate('reveal-welcome-line-unsaved'));
    // Only the buttons beside it end it.
    expect(byTestId('kept').textContent).toBe(languageStore.translate('keep-until-finished'));
  });

  it('goes back from there to the avatar, and asks before leaving it', async () => {
    const host = await renderScreen(portrayed);
    await fireEvent.click(byTestId('this-is-me'));
    await waitFor(() => expect(focusedTestId()).toBe('again'));
    await pressEscape();
    await waitFor(() => expect(focusedTestId()).toBe('this-is-me'));
    await pressEscape();
    await waitFor(() => expect(focusedTestId()).toBe('stay'));
    await pressEscape();
    await waitFor(() => expect(focusedTestId()).toBe('this-is-me'));
    expect(host.calledActions).toEqual([]);
    await pressEscape();
    await fireEvent.click(byTestId('leave'));
    expect(host.calledActions).toEqual(['returnToAttract']);
  });

  it('starts another visit at once on *Try again*', async () => {
    const host = await renderScreen(
      screens.reveal,
      new FakeHost(screens.reveal, {
        returnToAttract: () => screens.attract,
        startVisit: () => screens.consent,
      }),
    );
    await fireEvent.click(byTestId('once-more'));
    await waitFor(() => expect(focusedTestId()).toBe('consent-text'));
    expect(host.calledActions).toEqual(['returnToAttract', 'startVisit']);
  });

  it('starts none when the current one cannot be left', async () => {
    const host = await renderScreen(screens.reveal);
    host.refusals.set('returnToAttract', backendUnreachable);
    await fireEvent.click(byTestId('once-more'));
    await waitFor(() => expect(byTestId('trouble').textContent?.trim()).not.toBe(''));
    expect(host.calledActions).toEqual(['returnToAttract']);
    expect(focusedTestId()).toBe('again');
  });

  it('turns the avatar by arrows while it has the focus', async () => {
    const shown = stage();
    opened.stage.mockResolvedValue(shown);
    const host = await renderScreen(withModel);
    await waitFor(() => expect(byTestId('turntable').dataset.ready).toBe('true'));
    byTestId('turntable').focus();
    for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'])
      await fireEvent.keyDown(document.activeElement as Element, { key });
    expect(shown.turn).toHaveBeenCalledTimes(4);
    await fireEvent.keyDown(document.activeElement as Element, { key: 'Escape' });
    expect(focusedTestId()).toBe('this-is-me');
    expect(host.calledActions).toEqual([]);
  });

  it('turns by Shift and arrows with any focus, and not behind a dialog', async () => {
    const shown = stage();
    opened.stage.mockResolvedValue(shown);
    await renderScreen(withModel);
    await waitFor(() => expect(byTestId('turntable').dataset.ready).toBe('true'));
    // A button lies to the right.
    byTestId('once-more').getBoundingClientRect = () => new DOMRect(200, 0, 100, 40);
    await fireEvent.keyDown(byTestId('this-is-me'), { key: 'ArrowRight', shiftKey: true });
    expect(shown.turn).toHaveBeenCalledTimes(1);
    expect(focusedTestId()).toBe('this-is-me');
    await fireEvent.keyDown(byTestId('this-is-me'), { key: 'ArrowRight' });
    expect(focusedTestId()).toBe('once-more');
    expect(shown.turn).toHaveBeenCalledTimes(1);
    await pressEscape();
    await waitFor(() => expect(focusedTestId()).toBe('stay'));
    await fireEvent.keyDown(byTestId('stay'), { key: 'ArrowUp', shiftKey: true });
    await fireEvent.keyDown(byTestId('stay'), { key: 'ArrowUp' });
    expect(shown.turn).toHaveBeenCalledTimes(1);
  });

  it('turns by the right stick, and not behind a dialog', async () => {
    const shown = stage();
    opened.stage.mockResolvedValue(shown);
    const pad = () => ({ connected: true, mapping: 'standard', index: 0, axes: [0, 0, 0.7, 0], buttons: [] });
    vi.stubGlobal('navigator', Object.assign(Object.create(navigator), { getGamepads: () => [pad()] }));
    await renderScreen(withModel);
    await waitFor(() => expect(shown.turn).toHaveBeenCalledWith(0.7 * 0.035, 0));
    await fireEvent.click(byTestId('forget'));
    await waitFor(() => expect(focusedTestId()).toBe('keep'));
    shown.turn.mockClear();
    await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
    expect(shown.turn).not.toHaveBeenCalled();
    vi.unstubAllGlobals();
  });

  describe('with motion', () => {
    beforeEach(() => {
      vi.restoreAllMocks();
      vi.spyOn(console, 'warn').mockImplementation(() => {});
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    });
    afterEach(() => vi.useRealTimers());

    /** Shows the reveal, with its avatar loaded. */
    async function reveal() {
      const shown = stage();
      opened.stage.mockResolvedValue(shown);
      const host = new FakeHost(withModel);
      visitorPresenceTimer.noteActivity();
      render(App, { host });
      await vi.waitFor(() => expect(byTestId('turntable').dataset.act).toBe('sweep'));
      return { shown, host };
    }

    it('is a performance: light, the face, the words, and then the buttons', async () => {
      const { shown } = await reveal();
      expect(screen.queryByTestId('status-title')).toBeNull();
      expect(shown.setPaused).toHaveBeenLastCalledWith(true);
      vi.advanceTimersByTime(1500);
      await vi.waitFor(() => expect(byTestId('turntable').dataset.act).toBe('face'));
      expect(shown.setPaused).toHaveBeenLastCalledWith(false);
      expect(shown.greetViewer).toHaveBeenCalledTimes(1);
      // Light hides the change from the figure to the face.
      expect(byTestId('arrival')).toBeTruthy();
      expect(screen.queryByTestId('status-title')).toBeNull();
      vi.advanceTimersByTime(2000);
      await vi.waitFor(() =>
        expect(byTestId('status-title').textContent).toBe(languageStore.translate('reveal-title')),
      );
      expect(screen.queryByTestId('this-is-me')).toBeNull();
      expect(screen.queryByTestId('arrival')).toBeNull();
      vi.advanceTimersByTime(1200);
      await vi.waitFor(() => expect(focusedTestId()).toBe('this-is-me'));
    });

    it('is skipped by a press, which does nothing else', async () => {
      const { host } = await reveal();
      await fireEvent.keyDown(document.activeElement ?? document.body, { key: 'Enter' });
      await vi.waitFor(() => expect(focusedTestId()).toBe('this-is-me'));
      expect(byTestId('status-title').textContent).toBe(languageStore.translate('reveal-title'));
      expect(screen.queryByTestId('leaving')).toBeNull();
      expect(host.calledActions).toEqual([]);
    });

    it('leaves presses to the languages over it', async () => {
      await reveal();
      await fireEvent.keyDown(document.activeElement ?? document.body, { key: 'l' });
      await fireEvent.click(byTestId('tongue-de'));
      await vi.waitFor(() => expect(document.documentElement.lang).toBe('de'));
      languageStore.setLocale('en');
    });
  });

  it('falls back to the portrait when it cannot be shown in 3D', async () => {
    opened.stage.mockRejectedValue(new Error('no WebGL'));
    await renderScreen(withModel);
    await waitFor(() =>
      expect((byTestId('portrait') as HTMLImageElement).getAttribute('src')).toBe('avatar://a/portrait.png'),
    );
    expect(screen.queryByTestId('turntable')).toBeNull();
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('reveal-title-portrait'));
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(byTestId('operator-detail').textContent).toContain('No WebGL. The file is saved whole.');
  });

  it('falls back when the WebGL context is lost', async () => {
    const shown = stage();
    opened.stage.mockResolvedValue(shown);
    await renderScreen(withModel);
    await waitFor(() => expect(byTestId('turntable').dataset.ready).toBe('true'));
    opened.stage.mock.calls[0]?.[2].onContextLost(new Error('lost'));
    await waitFor(() => expect(byTestId('portrait')).toBeTruthy());
    expect(shown.close).toHaveBeenCalledTimes(1);
  });

  it('says when the portrait cannot be loaded either', async () => {
    opened.stage.mockRejectedValue(new Error('no WebGL'));
    await renderScreen(withModel);
    await waitFor(() => expect(byTestId('portrait')).toBeTruthy());
    await fireEvent.error(byTestId('portrait'));
    await waitFor(() =>
      expect(byTestId('status-title').textContent).toBe(languageStore.translate('reveal-title-card')),
    );
    // The contour figure stays, and the visitor is not asked.
    expect(document.querySelector('[data-stands-in]')).toBeTruthy();
    expect(screen.queryByTestId('this-is-me')).toBeNull();
    await waitFor(() => expect(focusedTestId()).toBe('again'));
  });

  it('closes an avatar that was loaded too late', async () => {
    const shown = stage();
    let loaded = (_: unknown) => {};
    opened.stage.mockReturnValue(new Promise((resolve) => (loaded = resolve)));
    const host = await renderScreen(withModel);
    await waitFor(() => expect(opened.stage).toHaveBeenCalled());
    host.showScreen(screens.attract);
    await waitFor(() => expect(byTestId('screen').dataset.screen).toBe('attract'));
    expect(opened.stage.mock.calls[0]?.[2].signal.aborted).toBe(true);
    loaded(shown);
    await waitFor(() => expect(shown.close).toHaveBeenCalledTimes(1));
  });
});

describe('Ended', () => {
  it('shows the visitor’s message, and the operator’s on demand', async () => {
    const host = await renderScreen(screens.ended);
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('problem-token-expired'));
    expect(byTestId('screen').textContent).toContain(languageStore.translate('problem-token-expired.do'));
    expect(screen.queryByTestId('operator-detail')).toBeNull();
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(byTestId('operator-detail').textContent).toContain(screens.ended.problem.operator);
    await fireEvent.click(byTestId('again'));
    expect(host.calledActions).toEqual(['returnToAttract']);
  });

  const problem = screens.ended.problem;
  // The codes of the program's table.
  it.each([
    'token_refused',
    'token_expired',
    'token_abandoned',
    'avatar_failed',
    'possibly_consumed',
    'timed_out',
    'saved_in_part',
  ])('offers another code where %s is answered by one, in one press', async (code) => {
    expect(problems).toContain(`"${code}"`);
    const ended = { ...screens.ended, problem: { ...problem, code } };
    const host = await renderScreen(
      ended,
      new FakeHost(ended, { returnToAttract: () => screens.attract, startVisit: () => screens.preparing }),
    );
    expect(focusedTestId()).toBe('once-more');
    await fireEvent.click(byTestId('once-more'));
    await waitFor(() => expect(host.calledActions).toEqual(['returnToAttract', 'startVisit']));
  });

  it.each(['disk_full', 'storage_failed', 'credentials_refused', 'backend_unreachable'])(
    'offers none where %s wants something else',
    async (code) => {
      await renderScreen({ ...screens.ended, problem: { ...problem, code, retry_helps: true } });
      expect(focusedTestId()).toBe('again');
      expect(screen.queryByTestId('once-more')).toBeNull();
    },
  );
});
