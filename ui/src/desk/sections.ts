// The sections of the desk, in order.

/** The sections of an operator, and those of an integrator. */
export const OPERATOR_SECTIONS = [
  'backend',
  'credentials',
  'sandbox',
  'display',
  'lanes',
  'retention',
  'history',
  'health',
  'access',
] as const;
export const INTEGRATOR_SECTIONS = ['inspector', 'checks'] as const;

/** The names of the sections. */
export const SECTIONS = [...OPERATOR_SECTIONS, ...INTEGRATOR_SECTIONS] as const;

/** One of these sections. */
export type Section = (typeof SECTIONS)[number];

/** The sections that have a number key. There are ten such keys; the one that is left out also quits the program. */
const SECTIONS_WITH_KEY: readonly Section[] = SECTIONS.filter((section) => section !== 'access');

/** The number key of a section: 1 to 9, then 0; null if it has none. */
export function numberKeyOfSection(section: Section): string | null {
  const place = SECTIONS_WITH_KEY.indexOf(section);
  return place < 0 ? null : String((place + 1) % 10);
}

/** The section of a number key. */
export function sectionForNumberKey(key: string): Section | undefined {
  return /^\d$/.test(key) ? SECTIONS_WITH_KEY[(Number(key) + 9) % 10] : undefined;
}
