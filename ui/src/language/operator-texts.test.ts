import { describe, expect, it } from 'vitest';
import { defaultLocaleFor, operatorTextFor, setLocale, useCatalogue } from '../state/language-store.svelte';
import { pickOperatorText } from './operator-texts';

const texts = { fr: 'Nous filmons.', de: 'Wir filmen.', ja: '撮影します。' };

describe('a text by language', () => {
  it.each([
    [['fr', 'de'], 'fr'],
    [['es', 'de'], 'de'],
    [['es', 'en'], 'de'],
    [[], 'de'],
  ])('wanted in %j is told in %s', (wanted, tag) => {
    expect(pickOperatorText(texts, wanted)).toEqual({ tag, text: texts[tag as 'fr'] });
  });

  it('is told in a language of somebody else before it is not told', () => {
    expect(pickOperatorText({ it: 'Filmiamo.' }, ['fr'])).toEqual({ tag: 'it', text: 'Filmiamo.' });
    expect(pickOperatorText({}, ['fr', 'de'])).toBeNull();
  });

  it('follows the visitor’s choice, then the booth’s first language, then what there is', () => {
    setLocale('fr');
    expect(operatorTextFor(texts, 'ja')?.tag).toBe('fr');
    setLocale('es');
    expect(operatorTextFor(texts, 'ja')?.tag).toBe('ja');
    expect(operatorTextFor(texts, 'zh-Hans')?.tag).toBe('de');
    useCatalogue('eo', 'attract-start = Komencu');
    expect(operatorTextFor(texts, 'fr')?.tag).toBe('fr');
    // The system's, in a test as in the window.
    expect(defaultLocaleFor(null)).toBe('en');
    expect(operatorTextFor({ ...texts, en: 'We film.' }, null)?.tag).toBe('en');
    setLocale('en');
  });
});
