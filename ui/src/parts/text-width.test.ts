import { expect, it } from 'vitest';
import { longestUnbreakableText, textWidthInLetters } from './text-width';

it('counts ideographs nearly twice, and places for a line break not at all', () => {
  expect(textWidthInLetters('Hello you')).toBe(9);
  expect(textWidthInLetters('自分に')).toBeCloseTo(5.7);
  expect(textWidthInLetters('自分に\u200b会おう')).toBe(textWidthInLetters('自分に会おう'));
});

it('finds the widest part that cannot be broken', () => {
  expect(longestUnbreakableText('Ihr Zeichentrickfilm')).toBe('Zeichentrickfilm');
  expect(longestUnbreakableText('Avatar アバターです')).toBe('アバターです');
  expect(longestUnbreakableText('スマホで\u200b読み取ってください')).toBe('読み取ってください');
});
