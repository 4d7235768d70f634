import { describe, expect, it } from 'vitest';
import { metIn, sayOwn, speak, speakForeign } from '../state/language-store.svelte';
import { toldIn } from './operator-texts';

const texts = { fr: 'Nous filmons.', de: 'Wir filmen.', ja: '撮影します。' };

describe('a text by language', () => {
  it.each([
    [['fr', 'de'], 'fr'],
    [['es', 'de'], 'de'],
    [['es', 'en'], 'de'],
    [[], 'de'],
  ])('wanted in %j is told in %s', (wanted, tag) => {
    expect(toldIn(texts, wanted)).toEqual({ tag, text: texts[tag as 'fr'] });
  });

  it('is told in a language of somebody else before it is not told', () => {
    expect(toldIn({ it: 'Filmiamo.' }, ['fr'])).toEqual({ tag: 'it', text: 'Filmiamo.' });
    expect(toldIn({}, ['fr', 'de'])).toBeNull();
  });

  it('follows the visitor’s choice, then the booth’s first language, then what there is', () => {
    speak('fr');
    expect(sayOwn(texts, 'ja')?.tag).toBe('fr');
    speak('es');
    expect(sayOwn(texts, 'ja')?.tag).toBe('ja');
    expect(sayOwn(texts, 'zh-Hans')?.tag).toBe('de');
    speakForeign('eo', 'attract-start = Komencu');
    expect(sayOwn(texts, 'fr')?.tag).toBe('fr');
    // The system's, in a test as in the window.
    expect(metIn(null)).toBe('en');
    expect(sayOwn({ ...texts, en: 'We film.' }, null)?.tag).toBe('en');
    speak('en');
  });
});
