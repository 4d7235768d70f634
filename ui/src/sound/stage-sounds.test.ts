import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { playSound } from './sound-player';
import { playFocusAndButtonSounds, recordDirectionPress } from './stage-sounds';

vi.mock('./sound-player', () => ({ playSound: vi.fn() }));

let stop: () => void;
const played = () => vi.mocked(playSound).mock.calls.map(([name]) => name);
const button = (attribute: string) => {
  const made = document.createElement('button');
  made.toggleAttribute(attribute, true);
  document.body.append(made);
  return made;
};

beforeAll(() => void vi.useFakeTimers());
afterAll(() => void vi.useRealTimers());
beforeEach(() => {
  vi.mocked(playSound).mockClear();
  stop = playFocusAndButtonSounds(document.body);
});
afterEach(() => {
  stop();
  document.body.replaceChildren();
});

it('a press that moves the focus is heard, on a keyboard and on a gamepad', () => {
  const [one, other] = [button('data-one'), button('data-other')];
  window.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown' }));
  one.focus();
  vi.advanceTimersByTime(1000);
  recordDirectionPress();
  other.focus();
  expect(played()).toEqual(['focus', 'focus']);
});

it('a screen that takes the focus by itself is silent', () => {
  vi.advanceTimersByTime(1000);
  button('data-primary').focus();
  window.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }));
  button('data-other').focus();
  expect(played()).toEqual([]);
});

it('buttons confirm or go back', () => {
  button('data-primary').click();
  button('data-back').click();
  document.body.click();
  expect(played()).toEqual(['confirm', 'back']);
});
