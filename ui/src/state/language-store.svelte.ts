// The language of the screen, and everything that is said in it.
import { FluentBundle, FluentResource, type FluentVariable } from '@fluent/bundle';
import en from '../../../locales/en.ftl?raw';
import type { Messages } from '../generated/messages';
import type { Problem, Texts } from '../generated/view';
import { isRightToLeft, LOCALES, type Locale, matchLocale } from '../language/locales';
import { AmountFormat } from '../language/number-format';
import { type OperatorText, pickOperatorText } from '../language/operator-texts';

/** A key of the catalogues. */
export type MessageKey = keyof Messages;

const sources = import.meta.glob<string>('../../../locales/*.ftl', {
  query: '?raw',
  import: 'default',
  eager: true,
});

const state = $state<{ tag: string }>({ tag: 'en' });
const bundles = new Map<string, FluentBundle>();
const english = parseCatalogue('en', en);

/** The language of the screen, as a BCP 47 tag. */
export function currentLocale(): string {
  return state.tag;
}

/** Says everything in another language from now on. */
export function setLocale(tongue: Locale): void {
  applyLocale(tongue);
}

/** The language that the operator wants visitors to be met in. */
let defaultLocale: string | null = null;

/** Sets the language in which a new visitor is met, none for the system's; whether that is news. */
export function setDefaultLocale(tag: string | null): boolean {
  const news = tag !== defaultLocale;
  defaultLocale = tag;
  return news;
}

/** Says everything in the language that a new visitor is met in. */
export function useDefaultLocale(): void {
  applyLocale(defaultLocaleFor(defaultLocale));
}

/** The language that a new visitor is met in, by what the operator set; the system's where that is nothing. */
export function defaultLocaleFor(tag: string | null): Locale {
  const system = navigator.languages ?? [navigator.language];
  return matchLocale(tag === null ? system : [tag, ...system]);
}

/**
 * The operator's own words in the language of the screen, else in the one that a new visitor is met in, else in the
 * first there is; none where they were written in none.
 */
export function operatorTextFor(texts: Texts, greeted: string | null): OperatorText | null {
  return pickOperatorText(texts, [state.tag, defaultLocaleFor(greeted)]);
}

/** Takes a catalogue that is not among the program's own, for tests of the layout. */
export function useCatalogue(tag: string, source: string): void {
  bundles.set(tag, parseCatalogue(tag, source));
  applyLocale(tag);
}

/** The message in the language of the screen. */
export function translate<K extends MessageKey>(
  key: K,
  ...given: Messages[K] extends null ? [] : [Messages[K]]
): string {
  return formatMessage(bundleFor(state.tag), key, given[0]) ?? formatMessage(english, key, given[0]) ?? key;
}

/** The name of a language in itself. */
export function localeName(tongue: Locale): string {
  return formatMessage(bundleFor(tongue), 'language-name') ?? tongue;
}

/** A failure in the visitor's words, and the one thing to do: by its code, else the program's own sentence. */
export function problemText(problem: Problem): { said: string; todo: string } {
  const key = `problem-${problem.code.replaceAll('_', '-')}`;
  const said = formatMessage(bundleFor(state.tag), key) ?? formatMessage(english, key);
  if (said === null) return { said: problem.visitor, todo: '' };
  return { said, todo: formatMessage(bundleFor(state.tag), `${key}.do`) ?? '' };
}

const formatsByLocale = new Map<string, AmountFormat>();

/** Numbers, sizes and times as the language of the screen writes them. */
export function amountFormat(): AmountFormat {
  let found = formatsByLocale.get(state.tag);
  if (!found) {
    found = new AmountFormat(state.tag);
    formatsByLocale.set(state.tag, found);
  }
  return found;
}

function applyLocale(tag: string): void {
  state.tag = tag;
  document.documentElement.lang = tag;
  document.documentElement.dir = isRightToLeft(tag) ? 'rtl' : 'ltr';
}

function bundleFor(tag: string): FluentBundle {
  let found = bundles.get(tag);
  if (!found) {
    found = parseCatalogue(tag, sources[`../../../locales/${tag}.ftl`] ?? en);
    bundles.set(tag, found);
  }
  return found;
}

function parseCatalogue(tag: string, source: string): FluentBundle {
  // Marks around what is filled in are needed only where the direction changes.
  const made = new FluentBundle(tag, { useIsolating: isRightToLeft(tag) });
  const faults = made.addResource(new FluentResource(source));
  for (const fault of faults) console.warn(`the catalogue of ${tag}:`, fault);
  return made;
}

function formatMessage(
  from: FluentBundle,
  key: string,
  given: Record<string, FluentVariable> | null = null,
): string | null {
  const [id, attribute] = key.split('.') as [string, string | undefined];
  const message = from.getMessage(id);
  const pattern = attribute === undefined ? message?.value : message?.attributes[attribute];
  if (pattern === undefined || pattern === null) return null;
  const faults: Error[] = [];
  const said = from.formatPattern(pattern, given, faults);
  for (const fault of faults) console.warn(`${key} in ${from.locales.join()}:`, fault);
  return said;
}

useDefaultLocale();

export { LOCALES as TONGUES, type Locale as Tongue, type OperatorText as Told };
