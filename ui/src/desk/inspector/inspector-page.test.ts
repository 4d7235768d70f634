import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { timeline } from '../../../fake/desk-timeline';
import type { FakeDesk } from '../../../fake/desk';
import { at, focused, type Opened, openDesk, press } from '../../../fake/render-desk';
import { W } from '../messages';

const words = W.inspector;
const lines = () => at('lines').querySelectorAll('[role=option]').length;
const chosen = () => at('lines').querySelector('[aria-selected=true]')?.getAttribute('data-testid');
const told = () => at('told-inspector').textContent?.trim();
const newest = (desk: FakeDesk) => desk.timelines[0]?.entries.length ?? 0;

async function inspector(prepare: Parameters<typeof openDesk>[0] = () => {}): Promise<Opened> {
  const opened = await openDesk(prepare, 'inspector');
  await waitFor(() => expect(at('inspector')).toBeTruthy());
  return opened;
}

afterEach(() => vi.unstubAllGlobals());

describe('the inspector', () => {
  it('shows the newest visit and grows with it', async () => {
    const { desk } = await inspector();
    const before = newest(desk);
    await waitFor(() => expect(at('line-count').textContent).toBe(words.shown(before, before)));
    desk.grow();
    expect(newest(desk)).toBeGreaterThan(before);
    await waitFor(() => expect(at('line-count').textContent).toBe(words.shown(newest(desk), newest(desk))));
  });

  it('holds still while it is paused, says what came, and goes on from there', async () => {
    const { desk } = await inspector();
    await waitFor(() => expect(focused()).toBe('lines'));
    const before = newest(desk);
    press('p');
    desk.grow();
    desk.grow();
    const after = newest(desk);
    await waitFor(() => expect(at('line-count').textContent).toContain(words.waiting(after - before)));
    expect(at('line-count').textContent).toContain(words.shown(before, before));
    press('p');
    await waitFor(() => expect(at('line-count').textContent).toBe(words.shown(after, after)));
  });

  it('shows another visit, and keeps to it', async () => {
    const { desk } = await inspector();
    await fireEvent.click(at(`visit-${desk.timelines[2]?.visit.visit}`));
    const all = desk.timelines[2]?.entries.length ?? 0;
    await waitFor(() => expect(at('line-count').textContent).toBe(words.shown(all, all)));
    desk.grow();
    await tick();
    expect(at('line-count').textContent).toBe(words.shown(all, all));
  });

  it('is gone through by keys: lines, detail, back', async () => {
    await inspector();
    await waitFor(() => expect(focused()).toBe('lines'));
    press('j');
    press('ArrowDown');
    await tick();
    expect(chosen()).toBe('exchange-1');
    expect(at('detail').textContent).toContain('http://127.0.0.1:8787/login');
    press('k');
    await tick();
    expect(chosen()).toBe('step-0');
    press('End');
    await tick();
    const last = chosen();
    press('j');
    await tick();
    expect(chosen()).toBe(last);
    press('Home');
    press('Enter');
    await waitFor(() => expect(focused()).toBe('detail'));
    press('Escape');
    expect(focused()).toBe('lines');
  });

  it('is gone through by gamepad', async () => {
    const { door } = await inspector();
    at('lines').focus();
    door.onIntent?.('down');
    door.onIntent?.('down');
    await tick();
    expect(chosen()).toBe('exchange-1');
    door.onIntent?.('confirm');
    await waitFor(() => expect(focused()).toBe('detail'));
    door.onIntent?.('back');
    expect(focused()).toBe('lines');
    door.onIntent?.('back');
    expect(focused()).toBe('section-inspector');
    expect(door.open).toBe(true);
    door.onIntent?.('back');
    expect(door.open).toBe(false);
  });

  it('filters by word, call and broken rules', async () => {
    const all = newest((await inspector()).desk);
    await waitFor(() => expect(focused()).toBe('lines'));
    press('/');
    expect(focused()).toBe('filter');
    // What is typed there is no command.
    press('j');
    press('3');
    await fireEvent.input(at('filter'), { target: { value: 'get 503' } });
    expect(at('line-count').textContent).toBe(words.shown(1, all));
    expect(at('section').dataset.section).toBe('inspector');
    press('Enter');
    expect(focused()).toBe('lines');
    await fireEvent.input(at('filter'), { target: { value: '' } });
    await fireEvent.click(at('call-login'));
    expect(at('line-count').textContent).toBe(words.shown(1, all));
    await fireEvent.click(at('call-all'));
    at('lines').focus();
    press('b');
    await waitFor(() => expect(at('line-count').textContent).toBe(words.shown(3, all)));
    await fireEvent.click(at('call-login'));
    expect(screen.getByText(words.empty)).toBeTruthy();
  });

  it('marks each field with its rule, and says what came in place of a broken one', async () => {
    await inspector();
    await waitFor(() => expect(focused()).toBe('lines'));
    press('b');
    await tick();
    press('End');
    await tick();
    const broken = at('rule-RED-5');
    expect(broken.textContent).toContain(words.broke);
    expect(broken.textContent).toContain(`${words.came} "false"`);
    expect(broken.closest('.row')?.textContent).toContain('"avatar_ready": "false"');
    expect(at('rule-RED-17').textContent).toContain(words.kept);
    expect(at('rule-SAFE-2').closest('.header')?.textContent).toContain('no-store');
    expect(at('rules-summary').textContent).toContain('1 rule broken, 9 kept.');
    await fireEvent.click(at('show-raw'));
    expect(at('raw-body').textContent).toMatch(/^\{"avatar_ready":"false",/);
    // The rules stand there without the lines, too.
    expect(at('rule-RED-5')).toBeTruthy();
  });

  it('says what went wrong on the wire', async () => {
    await inspector();
    await waitFor(() => expect(focused()).toBe('lines'));
    await fireEvent.input(at('filter'), { target: { value: 'get reset' } });
    press('j');
    await tick();
    expect(at('exchange-error').textContent).toContain('Connection reset by peer');
    expect(at('rule-PACE-1').textContent).toContain(words.broke);
  });

  it('copies as curl', async () => {
    const writeText = vi.fn().mockResolvedValue(undefined);
    vi.stubGlobal('navigator', { ...navigator, clipboard: { writeText } });
    await inspector();
    await waitFor(() => expect(focused()).toBe('lines'));
    press('j');
    press('j');
    await tick();
    press('c');
    await waitFor(() => expect(at('told-curl').textContent).toContain(words.copied));
    expect(writeText.mock.calls[0]?.[0]).toMatch(
      /^curl -sS -i -X POST http:\/\/127.0.0.1:8787\/login \\\n {2}-H "x-copresence-rest-api-key: \$COPRESENCE_API_KEY"/,
    );
  });

  it('has it chosen for the hand where the clipboard is refused', async () => {
    vi.stubGlobal('navigator', {
      ...navigator,
      clipboard: { writeText: () => Promise.reject(new Error('NotAllowed')) },
    });
    await inspector();
    await waitFor(() => expect(focused()).toBe('lines'));
    press('j');
    press('j');
    await tick();
    await fireEvent.click(at('copy-curl'));
    await waitFor(() => expect(at('told-curl').textContent).toContain(words.copyNot));
    const field = at('curl') as HTMLTextAreaElement;
    expect(document.activeElement).toBe(field);
    expect(field.value.slice(field.selectionStart, field.selectionEnd)).toBe(field.value);
  });

  it('saves a HAR and says where, or why not', async () => {
    const { desk } = await inspector();
    await waitFor(() => expect(focused()).toBe('lines'));
    press('h');
    await waitFor(() =>
      expect(told()).toMatch(/^Saved as ~\/.local\/share\/copresence-kiosk\/inspector\/.*\.har$/),
    );
    desk.refusals.set('saveHar', { code: 'x', visitor: '', operator: 'The disk is full', hint: 'Free some' });
    press('h');
    await waitFor(() => expect(told()).toBe('The disk is full Free some'));
  });

  it('keeps two thousand exchanges off the page but for what is seen', async () => {
    const { desk } = await inspector((desk) => {
      desk.timelines = [timeline('v', 0, 2000)];
      desk.dropped = 12;
    });
    await waitFor(() => expect(at('line-count').textContent).toContain(`${newest(desk)} lines`));
    expect(newest(desk)).toBeGreaterThan(2000);
    expect(lines()).toBeLessThan(80);
    expect(at('dropped').textContent).toBe(words.dropped(12));
  });

  it('says so when there is nothing to see', async () => {
    await inspector((desk) => (desk.timelines = []));
    await waitFor(() => expect(screen.getByText(words.none)).toBeTruthy());
  });

  it('follows no more when it is left', async () => {
    const { desk } = await inspector();
    await fireEvent.click(at('section-health'));
    const tell = vi.spyOn(desk, 'tellInspector');
    desk.grow();
    expect(tell).toHaveBeenCalled();
    await tick();
    expect(screen.queryByTestId('inspector')).toBeNull();
  });
});
