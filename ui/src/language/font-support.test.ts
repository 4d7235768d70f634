import { describe, expect, it } from 'vitest';
import { hasGlyphsForLocale, offeredLocales } from './font-support';
import { LOCALES } from './locales';

describe('the glyphs of a language', () => {
  it('exist when each is drawn differently', () => {
    for (const locale of LOCALES)
      expect(
        hasGlyphsForLocale(locale, (letter) => letter),
        locale,
      ).toBe(true);
  });

  it('are missing when all are drawn as the same placeholder', () => {
    const written = LOCALES.filter((locale) => hasGlyphsForLocale(locale, () => '▯'));
    expect(written).toEqual(['en', 'de', 'es', 'fr']);
  });

  it('are assumed when nothing can be drawn', () => {
    expect(LOCALES.filter((locale) => hasGlyphsForLocale(locale, () => null))).toEqual([...LOCALES]);
    expect(offeredLocales()).toEqual([...LOCALES]);
  });
});
