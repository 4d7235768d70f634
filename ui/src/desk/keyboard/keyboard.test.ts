import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { byTestId, focusedTestId, renderDesk } from '../../../fake/render-desk';
import { inputDevice } from '../../state/input-device.svelte';
import { messages } from '../messages';
import { deleteBackward, elementAsTextField, insertText } from './edit-text-field';
import { keyRows } from './keyboard-layout';

const value = (id: string) => (byTestId(id) as HTMLInputElement).value;
const keyboard = () => screen.queryByTestId('keyboard');

beforeEach(() => {
  inputDevice.last = 'touch';
  inputDevice.hasKeyboard = false;
});
afterEach(() => {
  inputDevice.last = 'pointer';
});

describe('the on-screen keyboard', () => {
  it('types into a text, at its cursor', async () => {
    await renderDesk(() => {}, 'display');
    byTestId('text-attract').focus();
    await waitFor(() => expect(keyboard()).not.toBeNull());
    await fireEvent.click(byTestId('type-shift'));
    await fireEvent.click(byTestId('type-H'));
    for (const key of ['a', 'a', 'l', 'l', 'o', 'delete', 'space', 'enter'])
      await fireEvent.click(byTestId(`type-${key}`));
    expect(value('text-attract')).toBe('Haall \n');
    await fireEvent.click(byTestId('page-accents'));
    await fireEvent.click(byTestId('type-ü'));
    expect(value('text-attract')).toBe('Haall \nü');
    const field = byTestId('text-attract') as HTMLTextAreaElement;
    field.setSelectionRange(2, 3);
    await fireEvent.click(byTestId('type-é'));
    expect(value('text-attract')).toBe('Haéll \nü');
    expect(byTestId('texts-in-en').textContent).toContain(messages.texts.unsaved);
  });

  it('is shown for every text field of the desk, and sends a form by Enter', async () => {
    const { desk } = await renderDesk(() => {}, 'display');
    byTestId('idle-other').focus();
    await waitFor(() => expect(keyboard()).not.toBeNull());
    // Numbers need no letters.
    expect(screen.queryByTestId('type-a')).toBeNull();
    (byTestId('idle-other') as HTMLInputElement).select();
    for (const key of ['4', '5']) await fireEvent.click(byTestId(`type-${key}`));
    await fireEvent.click(byTestId('type-enter'));
    await waitFor(() => expect(desk.panelView.display.idle_seconds).toBe(45));
    byTestId('section-access').click();
    await waitFor(() => expect(byTestId('pin-current')).toBeTruthy());
    expect(keyboard()).toBeNull();
    byTestId('pin-current').focus();
    await waitFor(() => expect(keyboard()).not.toBeNull());
    byTestId('section-inspector').click();
    await waitFor(() => expect(byTestId('filter')).toBeTruthy());
    byTestId('filter').focus();
    await waitFor(() => expect(screen.queryByTestId('type-a')).not.toBeNull());
  });

  it('is hidden by its own key, by leaving the field, and by a real keyboard', async () => {
    await renderDesk(() => {}, 'display');
    byTestId('text-attract').focus();
    await waitFor(() => expect(keyboard()).not.toBeNull());
    await fireEvent.click(byTestId('keyboard-hide'));
    expect(keyboard()).toBeNull();
    byTestId('voice-on').focus();
    byTestId('text-attract').focus();
    await waitFor(() => expect(keyboard()).not.toBeNull());
    byTestId('voice-on').focus();
    await waitFor(() => expect(keyboard()).toBeNull());
    byTestId('text-attract').focus();
    await waitFor(() => expect(keyboard()).not.toBeNull());
    inputDevice.last = 'keyboard';
    await waitFor(() => expect(keyboard()).toBeNull());
  });

  it('is shown to a mouse only where there was never a keyboard', async () => {
    inputDevice.last = 'pointer';
    await renderDesk(() => {}, 'display');
    byTestId('text-attract').focus();
    await waitFor(() => expect(keyboard()).not.toBeNull());
    inputDevice.hasKeyboard = true;
    await waitFor(() => expect(keyboard()).toBeNull());
  });

  it('is used by gamepad: A enters it, B returns to the field', async () => {
    inputDevice.last = 'gamepad';
    const { deskOverlay } = await renderDesk(() => {}, 'display');
    byTestId('text-attract').focus();
    await waitFor(() => expect(keyboard()).not.toBeNull());
    deskOverlay.gamepadHandler?.('confirm');
    await tick();
    expect(focusedTestId()).toBe('type-g');
    deskOverlay.gamepadHandler?.('confirm');
    await tick();
    expect(value('text-attract')).toBe('g');
    expect(focusedTestId()).toBe('type-g');
    deskOverlay.gamepadHandler?.('back');
    await waitFor(() => expect(focusedTestId()).toBe('text-attract'));
    expect(keyboard()).toBeNull();
    expect(deskOverlay.isOpen).toBe(true);
  });
});

it('a key has one character, and every letter of the languages that are written with it', () => {
  const all = (['letters', 'accents', 'symbols'] as const).flatMap((page) => [
    ...keyRows(page, false).flat(),
    ...keyRows(page, true).flat(),
  ]);
  for (const key of all) expect([...key]).toHaveLength(1);
  for (const letter of 'abcxyzäöüÄÖÜßéèêëàâçîïôœùûÿñÑáíóú¿¡@/:_?=&') expect(all, letter).toContain(letter);
});

it('a field is edited at its cursor', () => {
  const field = document.createElement('input');
  const heard: string[] = [];
  field.addEventListener('input', () => heard.push(field.value));
  field.value = 'ab';
  field.setSelectionRange(1, 1);
  insertText(field, '😀');
  deleteBackward(field);
  deleteBackward(field);
  deleteBackward(field);
  expect(heard).toEqual(['a😀b', 'ab', 'b']);
  expect(elementAsTextField(field)).toBe(field);
  field.type = 'file';
  expect(elementAsTextField(field)).toBeNull();
  expect(elementAsTextField(document.body)).toBeNull();
});
