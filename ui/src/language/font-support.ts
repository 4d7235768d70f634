// Which of the languages this machine can write. The program brings letters for Latin scripts alone; those for Japanese
// and Chinese are the system's, and where there are none each is drawn as the same stand-in.
import { LOCALES, type Locale } from './locales';

/** A picture of a letter, as a text that is the same for the same picture; none where nothing can be drawn. */
export type GlyphRenderer = (letter: string) => string | null;

/** Two letters of each script that the program brings none for. */
const SAMPLE_GLYPHS: Partial<Record<Locale, readonly [string, string]>> = {
  ja: ['読', '働'],
  'zh-Hans': ['请', '读'],
};

/** Whether a language's letters are there: two that differ are drawn in two ways. What cannot be told counts as there. */
export function hasGlyphsFor(tongue: string, drawn: GlyphRenderer): boolean {
  const two = SAMPLE_GLYPHS[tongue as Locale];
  if (!two) return true;
  const [one, other] = two.map(drawn);
  return one === null || one !== other;
}

let cachedLocales: readonly Locale[] | null = null;

/** The languages that a visitor is offered: those that this machine can write. */
export function offeredLocales(): readonly Locale[] {
  cachedLocales ??= LOCALES.filter((tongue) => hasGlyphsFor(tongue, renderGlyph));
  return cachedLocales;
}

function renderGlyph(letter: string): string | null {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 32;
  const context = canvas.getContext('2d');
  if (!context) return null;
  context.font = `24px ${getComputedStyle(document.documentElement).getPropertyValue('--font') || 'sans-serif'}`;
  context.fillText(letter, 2, 26);
  return context.getImageData(0, 0, 32, 32).data.join();
}
