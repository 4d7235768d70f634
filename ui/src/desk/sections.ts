// The desk's sections, in the order in which they stand.

/** What can be shown. */
export const SECTIONS = [
  'backend',
  'credentials',
  'sandbox',
  'display',
  'retention',
  'history',
  'health',
  'access',
  'inspector',
  'checks',
] as const;

/** One of them. */
export type Section = (typeof SECTIONS)[number];

/** The key that goes there: 1 to 9, then 0. */
export function sectionKey(section: Section): string {
  return String((SECTIONS.indexOf(section) + 1) % 10);
}

/** Where a key goes. */
export function sectionForKey(key: string): Section | undefined {
  return /^\d$/.test(key) ? SECTIONS[(Number(key) + 9) % 10] : undefined;
}
