import { describe, expect, it } from 'vitest';
import { hasGlyphsFor, offeredLocales } from './font-support';
import { LOCALES } from './locales';

describe('the glyphs of a language', () => {
  it('exist when each is drawn differently', () => {
    for (const tongue of LOCALES)
      expect(
        hasGlyphsFor(tongue, (letter) => letter),
        tongue,
      ).toBe(true);
  });

  it('are missing when all are drawn as the same placeholder', () => {
    const written = LOCALES.filter((tongue) => hasGlyphsFor(tongue, () => '▯'));
    expect(written).toEqual(['en', 'de', 'es', 'fr']);
  });

  it('are assumed when nothing can be drawn', () => {
    expect(LOCALES.filter((tongue) => hasGlyphsFor(tongue, () => null))).toEqual([...LOCALES]);
    expect(offeredLocales()).toEqual([...LOCALES]);
  });
});
