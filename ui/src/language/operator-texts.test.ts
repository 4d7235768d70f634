import { describe, expect, it } from 'vitest';
import { languageStore } from '../state/language-store.svelte';
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

  it('is shown in any language rather than not at all', () => {
    expect(pickOperatorText({ it: 'Filmiamo.' }, ['fr'])).toEqual({ tag: 'it', text: 'Filmiamo.' });
    expect(pickOperatorText({}, ['fr', 'de'])).toBeNull();
  });

  it('uses the visitor’s language, then the booth’s, then any', () => {
    languageStore.setLocale('fr');
    expect(languageStore.operatorTextFor(texts, 'ja')?.tag).toBe('fr');
    languageStore.setLocale('es');
    expect(languageStore.operatorTextFor(texts, 'ja')?.tag).toBe('ja');
    expect(languageStore.operatorTextFor(texts, 'zh-Hans')?.tag).toBe('de');
    languageStore.useCatalogue('eo', 'attract-start = Komencu');
    expect(languageStore.operatorTextFor(texts, 'fr')?.tag).toBe('fr');
    // The system's language.
    expect(languageStore.defaultLocaleFor(null)).toBe('en');
    expect(languageStore.operatorTextFor({ ...texts, en: 'We film.' }, null)?.tag).toBe('en');
    languageStore.setLocale('en');
  });
});
