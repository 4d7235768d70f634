// The sections of the desk, in order.

/** The names of the sections. */
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

/** One of these sections. */
export type Section = (typeof SECTIONS)[number];

/** The number key of a section: 1 to 9, then 0. */
export function numberKeyOfSection(section: Section): string {
  return String((SECTIONS.indexOf(section) + 1) % 10);
}

/** The section of a number key. */
export function sectionForNumberKey(key: string): Section | undefined {
  return /^\d$/.test(key) ? SECTIONS[(Number(key) + 9) % 10] : undefined;
}
