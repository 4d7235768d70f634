import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { FakeDesk } from '../../../fake/desk';
import { createTimeline } from '../../../fake/desk-timeline';
import { byTestId, focusedTestId, pressKey, type RenderedDesk, renderDesk } from '../../../fake/render-desk';
import { messages } from '../messages';
import { collapseRepeatedExchanges, toKeyedTimelineEntries } from './timeline';

const words = messages.inspector;
const lines = () => byTestId('lines').querySelectorAll('[role=option]').length;
const chosen = () => byTestId('lines').querySelector('[aria-selected=true]')?.getAttribute('data-testid');
const resultText = () => byTestId('told-inspector').textContent?.trim();
const newest = (desk: FakeDesk) => desk.timelines[0]?.entries.length ?? 0;

/** The keys of the first row of at least two repeats. */
function repeatedPolls(desk: FakeDesk): string[] {
  const rows = collapseRepeatedExchanges(toKeyedTimelineEntries(desk.timelines[0]?.entries ?? []));
  return rows.find(({ entries }) => entries.length > 2)?.entries.map(({ key }) => key) ?? [];
}

async function inspector(prepare: Parameters<typeof renderDesk>[0] = () => {}): Promise<RenderedDesk> {
  const opened = await renderDesk(prepare, 'inspector');
  await waitFor(() => expect(byTestId('inspector')).toBeTruthy());
  return opened;
}

afterEach(() => vi.unstubAllGlobals());

describe('the inspector', () => {
  it('shows the newest visit and grows with it', async () => {
    const { desk } = await inspector();
    const before = newest(desk);
    await waitFor(() => expect(byTestId('line-count').textContent).toBe(words.shown(before, before)));
    desk.addExchange();
    expect(newest(desk)).toBeGreaterThan(before);
    await waitFor(() =>
      expect(byTestId('line-count').textContent).toBe(words.shown(newest(desk), newest(desk))),
    );
  });

  it('can be paused, counts new entries meanwhile, and continues', async () => {
    const { desk } = await inspector();
    await waitFor(() => expect(focusedTestId()).toBe('lines'));
    const before = newest(desk);
    pressKey('p');
    desk.addExchange();
    desk.addExchange();
    const after = newest(desk);
    await waitFor(() => expect(byTestId('line-count').textContent).toContain(words.waiting(after - before)));
    expect(byTestId('line-count').textContent).toContain(words.shown(before, before));
    pressKey('p');
    await waitFor(() => expect(byTestId('line-count').textContent).toBe(words.shown(after, after)));
  });

  it('shows another visit, and stays on it', async () => {
    const { desk } = await inspector();
    await fireEvent.click(byTestId(`visit-${desk.timelines[2]?.visit.visit}`));
    const all = desk.timelines[2]?.entries.length ?? 0;
    await waitFor(() => expect(byTestId('line-count').textContent).toBe(words.shown(all, all)));
    desk.addExchange();
    await tick();
    expect(byTestId('line-count').textContent).toBe(words.shown(all, all));
  });

  it('is navigated by keys: list, detail, back', async () => {
    await inspector();
    await waitFor(() => expect(focusedTestId()).toBe('lines'));
    pressKey('j');
    pressKey('ArrowDown');
    await tick();
    expect(chosen()).toBe('exchange-1');
    expect(byTestId('detail').textContent).toContain('http://127.0.0.1:8787/login');
    pressKey('k');
    await tick();
    expect(chosen()).toBe('step-0');
    pressKey('End');
    await tick();
    const last = chosen();
    pressKey('j');
    await tick();
    expect(chosen()).toBe(last);
    pressKey('Home');
    pressKey('Enter');
    await waitFor(() => expect(focusedTestId()).toBe('detail'));
    pressKey('Escape');
    expect(focusedTestId()).toBe('lines');
  });

  it('keeps the arrow keys on the list after a click on a line, also when that line is scrolled away', async () => {
    await inspector();
    await waitFor(() => expect(lines()).toBeGreaterThan(3));
    const line = byTestId('exchange-1');
    line.focus();
    await fireEvent.click(line);
    expect(focusedTestId()).toBe('lines');
    pressKey('ArrowDown');
    await tick();
    expect(focusedTestId()).toBe('lines');
    expect(chosen()).not.toBe('exchange-1');
  });

  it('collapses repeats, and shows each of them on request', async () => {
    const { desk } = await inspector();
    await waitFor(() => expect(focusedTestId()).toBe('lines'));
    const [first, ...others] = repeatedPolls(desk);
    expect(others.length).toBeGreaterThan(1);
    const count = others.length + 1;
    expect(byTestId(`repeats-${first}`).textContent).toContain(`×${count}`);
    expect(screen.queryByTestId(`${others[0]}`)).toBeNull();
    const collapsed = byTestId('lines').querySelector('[role=option]')?.getAttribute('aria-setsize');
    // The count of lines is that of the entries.
    expect(byTestId('line-count').textContent).toBe(words.shown(newest(desk), newest(desk)));
    await fireEvent.click(byTestId(`repeats-${first}`));
    await waitFor(() => expect(screen.queryByTestId(`${others[0]}`)).not.toBeNull());
    expect(chosen()).toBe(first);
    pressKey('j');
    await tick();
    expect(chosen()).toBe(others[0]);
    pressKey('x');
    await waitFor(() => expect(screen.queryByTestId(`${others[0]}`)).toBeNull());
    expect(chosen()).toBe(first);
    expect(byTestId('lines').querySelector('[role=option]')?.getAttribute('aria-setsize')).toBe(collapsed);
    pressKey('x');
    await waitFor(() => expect(screen.queryByTestId(`${others[0]}`)).not.toBeNull());
  });

  it('is navigated by gamepad', async () => {
    const { deskOverlay } = await inspector();
    byTestId('lines').focus();
    deskOverlay.gamepadHandler?.('down');
    deskOverlay.gamepadHandler?.('down');
    await tick();
    expect(chosen()).toBe('exchange-1');
    deskOverlay.gamepadHandler?.('confirm');
    await waitFor(() => expect(focusedTestId()).toBe('detail'));
    deskOverlay.gamepadHandler?.('back');
    expect(focusedTestId()).toBe('lines');
    deskOverlay.gamepadHandler?.('back');
    expect(focusedTestId()).toBe('section-inspector');
    expect(deskOverlay.isOpen).toBe(true);
    deskOverlay.gamepadHandler?.('back');
    expect(deskOverlay.isOpen).toBe(false);
  });

  it('filters by text, call and unmet requirements', async () => {
    const all = newest((await inspector()).desk);
    await waitFor(() => expect(focusedTestId()).toBe('lines'));
    pressKey('/');
    expect(focusedTestId()).toBe('filter');
    // Typed characters are not commands.
    pressKey('j');
    pressKey('3');
    await fireEvent.input(byTestId('filter'), { target: { value: 'get 503' } });
    expect(byTestId('line-count').textContent).toBe(words.shown(1, all));
    expect(byTestId('section').dataset.section).toBe('inspector');
    pressKey('Enter');
    expect(focusedTestId()).toBe('lines');
    await fireEvent.input(byTestId('filter'), { target: { value: '' } });
    await fireEvent.click(byTestId('call-login'));
    expect(byTestId('line-count').textContent).toBe(words.shown(1, all));
    await fireEvent.click(byTestId('call-all'));
    byTestId('lines').focus();
    pressKey('b');
    await waitFor(() => expect(byTestId('line-count').textContent).toBe(words.shown(3, all)));
    await fireEvent.click(byTestId('call-login'));
    expect(screen.getByText(words.empty)).toBeTruthy();
  });

  it('shows the requirement at each field, and what was received when it is not met', async () => {
    await inspector();
    await waitFor(() => expect(focusedTestId()).toBe('lines'));
    pressKey('b');
    await tick();
    pressKey('End');
    await tick();
    const broken = byTestId('rule-RED-5');
    expect(broken.textContent).toContain(words.broke);
    expect(broken.textContent).toContain(`${words.came} "false"`);
    expect(broken.closest('.row')?.textContent).toContain('"avatar_ready": "false"');
    expect(byTestId('rule-RED-17').textContent).toContain(words.kept);
    expect(byTestId('rule-SAFE-2').closest('.header')?.textContent).toContain('no-store');
    expect(byTestId('rules-summary').textContent).toContain('1 requirement not met, 9 met.');
    await fireEvent.click(byTestId('show-raw'));
    expect(byTestId('raw-body').textContent).toMatch(/^\{"avatar_ready":"false",/);
    // The requirements are shown without the lines, too.
    expect(byTestId('rule-RED-5')).toBeTruthy();
  });

  it('shows a transport error', async () => {
    await inspector();
    await waitFor(() => expect(focusedTestId()).toBe('lines'));
    await fireEvent.input(byTestId('filter'), { target: { value: 'get reset' } });
    pressKey('j');
    await tick();
    expect(byTestId('exchange-error').textContent).toContain('Connection reset by peer');
    expect(byTestId('rule-PACE-1').textContent).toContain(words.broke);
  });

  it('copies as curl', async () => {
    const writeText = vi.fn().mockResolvedValue(undefined);
    vi.stubGlobal('navigator', { ...navigator, clipboard: { writeText } });
    await inspector();
    await waitFor(() => expect(focusedTestId()).toBe('lines'));
    pressKey('j');
    pressKey('j');
    await tick();
    pressKey('c');
    await waitFor(() => expect(byTestId('told-curl').textContent).toContain(words.copied));
    expect(writeText.mock.calls[0]?.[0]).toMatch(
      /^curl -sS -i -X POST http:\/\/127.0.0.1:8787\/login \\\n {2}-H "x-copresence-rest-api-key: \$COPRESENCE_API_KEY"/,
    );
  });

  it('selects the command when the clipboard is refused', async () => {
    vi.stubGlobal('navigator', {
      ...navigator,
      clipboard: { writeText: () => Promise.reject(new Error('NotAllowed')) },
    });
    await inspector();
    await waitFor(() => expect(focusedTestId()).toBe('lines'));
    pressKey('j');
    pressKey('j');
    await tick();
    await fireEvent.click(byTestId('copy-curl'));
    await waitFor(() => expect(byTestId('told-curl').textContent).toContain(words.copyNot));
    const field = byTestId('curl') as HTMLTextAreaElement;
    expect(document.activeElement).toBe(field);
    expect(field.value.slice(field.selectionStart, field.selectionEnd)).toBe(field.value);
  });

  it('saves a HAR and shows its path, or the refusal', async () => {
    const { desk } = await inspector();
    await waitFor(() => expect(focusedTestId()).toBe('lines'));
    pressKey('h');
    await waitFor(() =>
      expect(resultText()).toMatch(/^Saved as ~\/.local\/share\/copresence-kiosk\/inspector\/.*\.har$/),
    );
    desk.refusals.set('saveHar', { code: 'x', visitor: '', operator: 'The disk is full', hint: 'Free some' });
    pressKey('h');
    await waitFor(() => expect(resultText()).toBe('The disk is full Free some'));
  });

  it('renders only the visible rows of two thousand exchanges', async () => {
    const { desk } = await inspector((desk) => {
      desk.timelines = [createTimeline('v', 0, 2000)];
      desk.dropped = 12;
    });
    await waitFor(() => expect(byTestId('line-count').textContent).toContain(`${newest(desk)} lines`));
    expect(newest(desk)).toBeGreaterThan(2000);
    expect(lines()).toBeLessThan(80);
    expect(byTestId('dropped').textContent).toBe(words.dropped(12));
  });

  it('says when there are no visits', async () => {
    await inspector((desk) => (desk.timelines = []));
    await waitFor(() => expect(screen.getByText(words.none)).toBeTruthy());
  });

  it('stops following when it is left', async () => {
    const { desk } = await inspector();
    await fireEvent.click(byTestId('section-health'));
    const tell = vi.spyOn(desk, 'notifyInspector');
    desk.addExchange();
    expect(tell).toHaveBeenCalled();
    await tick();
    expect(screen.queryByTestId('inspector')).toBeNull();
  });
});
