// The supported languages, and which of them matches a preference.

/** The languages with a catalogue, as BCP 47 tags, in the order in which they are offered. */
export const LOCALES = ['en', 'de', 'es', 'fr', 'ja', 'zh-Hans'] as const;

/** One of these languages. */
export type Locale = (typeof LOCALES)[number];

/** The first of `wanted` (ordered as by a browser) that has a catalogue; English when none has. */
export function firstSupportedLocale(wanted: readonly string[]): Locale {
  for (const tag of wanted) {
    const found = supportedLocaleForTag(tag);
    if (found) return found;
  }
  return 'en';
}

/** Whether a language is written from right to left. */
export function isRightToLeft(tag: string): boolean {
  return /^(ar|fa|he|ur)\b/.test(tag);
}

/**
 * The supported locale with the primary language of a tag; undefined when there is none. Any Chinese tag matches
 * `zh-Hans`: readers of another Chinese script still prefer it to English.
 */
function supportedLocaleForTag(tag: string): Locale | undefined {
  const [language] = tag.toLowerCase().split(/[-_]/);
  return LOCALES.find((locale) => locale.toLowerCase().split('-')[0] === language);
}
