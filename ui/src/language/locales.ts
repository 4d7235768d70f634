// The languages there are, and which of them a person wants: pure.

/** The languages with a catalogue, as BCP 47 tags, in the order that they are offered in. */
export const LOCALES = ['en', 'de', 'es', 'fr', 'ja', 'zh-Hans'] as const;

/** One of them. */
export type Locale = (typeof LOCALES)[number];

/** The first of `wanted` (as a browser lists them) that there is a catalogue for; English where there is none. */
export function matchLocale(wanted: readonly string[]): Locale {
  for (const tag of wanted) {
    const found = findLocale(tag);
    if (found) return found;
  }
  return 'en';
}

/** Whether it is written from right to left. */
export function isRightToLeft(tag: string): boolean {
  return /^(ar|fa|he|ur)\b/.test(tag);
}

// Who reads another Chinese script still reads this better than English.
function findLocale(tag: string): Locale | undefined {
  const [language] = tag.toLowerCase().split(/[-_]/);
  return LOCALES.find((tongue) => tongue.toLowerCase().split('-')[0] === language);
}
