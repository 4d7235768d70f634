import { describe, expect, it } from 'vitest';
import { hasGlyphsFor, offeredLocales } from './font-support';
import { LOCALES } from './locales';

describe('the letters of a language', () => {
  it('are there where each is drawn in its own way', () => {
    for (const tongue of LOCALES)
      expect(
        hasGlyphsFor(tongue, (letter) => letter),
        tongue,
      ).toBe(true);
  });

  it('are not there where all are drawn as one stand-in', () => {
    const written = LOCALES.filter((tongue) => hasGlyphsFor(tongue, () => '▯'));
    expect(written).toEqual(['en', 'de', 'es', 'fr']);
  });

  it('count as there where nothing can be drawn', () => {
    expect(LOCALES.filter((tongue) => hasGlyphsFor(tongue, () => null))).toEqual([...LOCALES]);
    expect(offeredLocales()).toEqual([...LOCALES]);
  });
});
