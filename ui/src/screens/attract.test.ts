import { fireEvent, waitFor } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { at, show } from '../../fake/render-app';
import { offline, screens } from '../../fake/fixtures';
import { say } from '../state/language-store.svelte';

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
