import { describe, expect, it } from 'vitest';
import { canWrite, offered } from './font-support';
import { TONGUES } from './locales';

describe('the letters of a language', () => {
  it('are there where each is drawn in its own way', () => {
    for (const tongue of TONGUES)
      expect(
        canWrite(tongue, (letter) => letter),
        tongue,
      ).toBe(true);
  });

  it('are not there where all are drawn as one stand-in', () => {
    const written = TONGUES.filter((tongue) => canWrite(tongue, () => '▯'));
    expect(written).toEqual(['en', 'de', 'es', 'fr']);
  });

  it('count as there where nothing can be drawn', () => {
    expect(TONGUES.filter((tongue) => canWrite(tongue, () => null))).toEqual([...TONGUES]);
    expect(offered()).toEqual([...TONGUES]);
  });
});
