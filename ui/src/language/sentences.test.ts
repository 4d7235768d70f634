import { expect, it } from 'vitest';
import { splitSentences } from './sentences';

const words = (text: string, tag: string) => splitSentences(text, tag).map((one) => one.words);

it.each([
  ['en', 'Your phone is connected. Look up here.', ['Your phone is connected.', 'Look up here.']],
  ['en', 'The studio says: “in quality review”.', ['The studio says: “in quality review”.']],
  ['en', 'Version 1.2 of it is here.', ['Version 1.2 of it is here.']],
  ['es', '¿Estás aquí? Sigue oculto.', ['¿Estás aquí?', 'Sigue oculto.']],
  ['fr', 'Êtes-vous là ? Il reste caché.', ['Êtes-vous là ?', 'Il reste caché.']],
  [
    'ja',
    'いつもより時間がかかっています。このままお待ちください。',
    ['いつもより時間がかかっています。', 'このままお待ちください。'],
  ],
  ['zh-Hans', '队伍暂时没有前进。你的位置不变。', ['队伍暂时没有前进。', '你的位置不变。']],
  ['en', '', []],
] as const)('%s: %s', (tag, text, expected) => {
  expect(words(text, tag)).toEqual(expected);
  expect(
    splitSentences(text, tag)
      .map(({ words, space }) => words + space)
      .join(''),
  ).toBe(text);
});
