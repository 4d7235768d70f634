// Which languages this machine has fonts for. The program brings fonts for Latin scripts; Japanese and Chinese need
// the system's. A missing glyph is drawn as the same placeholder for every character.
import { LOCALES, type Locale } from './locales';

/** Draws a character and returns its pixels as a string; null when nothing can be drawn. */
export type GlyphRenderer = (letter: string) => string | null;

/** Two characters of each script that the program brings no font for. */
const SAMPLE_GLYPHS: Partial<Record<Locale, readonly [string, string]>> = {
  ja: ['読', '働'],
  'zh-Hans': ['请', '读'],
};

/**
 * Whether there are glyphs for a language: two different characters are drawn differently. Assumed when nothing can
 * be drawn.
 */
export function hasGlyphsForLocale(locale: string, drawn: GlyphRenderer): boolean {
  const two = SAMPLE_GLYPHS[locale as Locale];
  if (!two) return true;
  const [one, other] = two.map(drawn);
  return one === null || one !== other;
}

let cachedLocales: readonly Locale[] | null = null;

/** The languages offered to visitors: those with glyphs on this machine. */
export function offeredLocales(): readonly Locale[] {
  cachedLocales ??= LOCALES.filter((locale) => hasGlyphsForLocale(locale, glyphPixelsAsText));
  return cachedLocales;
}

/** The pixels of a drawn character as text, to compare them; null without a canvas. */
function glyphPixelsAsText(letter: string): string | null {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 32;
  const context = canvas.getContext('2d');
  if (!context) return null;
  context.font = `24px ${getComputedStyle(document.documentElement).getPropertyValue('--font') || 'sans-serif'}`;
  context.fillText(letter, 2, 26);
  return context.getImageData(0, 0, 32, 32).data.join();
}
