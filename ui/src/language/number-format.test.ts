import { expect, it } from 'vitest';
import { AmountFormatter } from './number-format';

const [en, de, fr] = [new AmountFormatter('en'), new AmountFormatter('de'), new AmountFormatter('fr')];
/** Languages use different spaces that look alike. */
const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, ' ');

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [412_000, '412 kB'],
  [999_600, '1.0 MB'],
  [18_400_000, '18.4 MB'],
  [2_500_000_000, '2.5 GB'],
])('%i bytes are %s', (bytes, text) => expect(plain(en.formatBytes(bytes))).toBe(text));

it('writes sizes as the language does', () => {
  expect(plain(de.formatBytes(18_400_000))).toBe('18,4 MB');
  expect(plain(fr.formatBytes(18_400_000))).toBe('18,4 Mo');
});

it.each([
  [0, '0:00'],
  [65, '1:05'],
  [3723, '1:02:03'],
])('%i seconds are %s', (seconds, text) => expect(en.formatClock(seconds)).toBe(text));

it('separates the sign of a percentage', () => {
  expect(en.formatPercentParts(42)).toEqual([
    { text: '42', sign: false },
    { text: '%', sign: true },
  ]);
  expect(de.formatPercentParts(100).map(({ text }) => plain(text))).toEqual(['100', ' %']);
});

it('rounds a time range', () => {
  expect(en.formatTimeRange(17, 44)).toBe('20–40 seconds');
  expect(en.formatTimeRange(2, 11)).toBe('10 seconds');
  expect(en.formatTimeRange(70, 190)).toBe('1–3 minutes');
  expect(en.formatTimeRange(100, 115)).toBe('2 minutes');
  expect(de.formatTimeRange(120, 240)).toBe('2–4 Minuten');
});
