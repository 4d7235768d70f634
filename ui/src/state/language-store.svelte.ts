// The language of the screens, and every message in it.
import { FluentBundle, FluentResource, type FluentVariable } from '@fluent/bundle';
import en from '../../../locales/en.ftl?raw';
import type { Messages } from '../generated/messages';
import type { LocalizedTextView, Problem } from '../generated/view';
import { firstSupportedLocale, isRightToLeft, type Locale } from '../language/locales';
import { AmountFormatter } from '../language/number-format';
import { pickOperatorText, type TextInLanguage } from '../language/operator-texts';

/** A key of the catalogues. */
export type MessageKey = keyof Messages;

const sources = import.meta.glob<string>('../../../locales/*.ftl', {
  query: '?raw',
  import: 'default',
  eager: true,
});

/** The language of the screens: one per page, because it is also the language of `<html>`. */
export class LanguageStore {
  #locale = $state('en');
  #defaultLocale: string | null = null;
  readonly #bundles = new Map<string, FluentBundle>();
  readonly #formats = new Map<string, AmountFormatter>();
  readonly #english = parseFluentCatalog('en', en);

  constructor() {
    this.useDefaultLocale();
  }

  /** The language of the screens, as a BCP 47 tag. */
  get locale(): string {
    return this.#locale;
  }

  /** Shows every message in another language. */
  setLocale(locale: Locale): void {
    this.#apply(locale);
  }

  /** Sets the language for new visitors; null follows the system. Returns whether it changed. */
  setDefaultLocale(tag: string | null): boolean {
    const changed = tag !== this.#defaultLocale;
    this.#defaultLocale = tag;
    return changed;
  }

  /** Shows every message in the language for new visitors. */
  useDefaultLocale(): void {
    this.#apply(this.defaultLocaleFor(this.#defaultLocale));
  }

  /** The language for new visitors, given the operator's setting; null follows the system. */
  defaultLocaleFor(tag: string | null): Locale {
    const system = navigator.languages ?? [navigator.language];
    return firstSupportedLocale(tag === null ? system : [tag, ...system]);
  }

  /**
   * The operator's text in the language of the screens, else in the language for new visitors, else in the first one
   * that has a text. Null when the operator wrote none.
   */
  operatorTextFor(texts: LocalizedTextView, defaultTag: string | null): TextInLanguage | null {
    return pickOperatorText(texts, [this.#locale, this.defaultLocaleFor(defaultTag)]);
  }

  /** Shows every message from a catalogue that is not the program's own, for layout tests. */
  useCatalogue(tag: string, source: string): void {
    this.#bundles.set(tag, parseFluentCatalog(tag, source));
    this.#apply(tag);
  }

  /** The message in the language of the screens; in English where the catalogue has none. */
  translate<K extends MessageKey>(key: K, ...args: Messages[K] extends null ? [] : [Messages[K]]): string {
    return (
      formatMessage(this.#bundleFor(this.#locale), key, args[0]) ??
      formatMessage(this.#english, key, args[0]) ??
      key
    );
  }

  /** The name of a language in that language. */
  localeName(locale: Locale): string {
    return formatMessage(this.#bundleFor(locale), 'language-name') ?? locale;
  }

  /**
   * A problem in words for the visitor, and what to do about it. A code without a message gets the program's own
   * sentence.
   */
  problemText(problem: Problem): { title: string; action: string } {
    const key = `problem-${problem.code.replaceAll('_', '-')}`;
    const bundle = this.#bundleFor(this.#locale);
    const title = formatMessage(bundle, key) ?? formatMessage(this.#english, key);
    if (title === null) return { title: problem.visitor, action: '' };
    const action = formatMessage(bundle, `${key}.do`) ?? formatMessage(this.#english, `${key}.do`) ?? '';
    return { title, action };
  }

  /** Formats numbers, sizes and times for the language of the screens. */
  get amountFormat(): AmountFormatter {
    let format = this.#formats.get(this.#locale);
    if (!format) {
      format = new AmountFormatter(this.#locale);
      this.#formats.set(this.#locale, format);
    }
    return format;
  }

  #apply(tag: string): void {
    this.#locale = tag;
    document.documentElement.lang = tag;
    document.documentElement.dir = isRightToLeft(tag) ? 'rtl' : 'ltr';
  }

  #bundleFor(tag: string): FluentBundle {
    let bundle = this.#bundles.get(tag);
    if (!bundle) {
      bundle = parseFluentCatalog(tag, sources[`../../../locales/${tag}.ftl`] ?? en);
      this.#bundles.set(tag, bundle);
    }
    return bundle;
  }
}

/** Parses a Fluent catalog. Errors are logged, and the faulty entries left out. */
function parseFluentCatalog(tag: string, source: string): FluentBundle {
  // Isolation marks around arguments are only needed where the writing direction changes.
  const bundle = new FluentBundle(tag, { useIsolating: isRightToLeft(tag) });
  const errors = bundle.addResource(new FluentResource(source));
  for (const error of errors) console.warn(`the catalogue of ${tag}:`, error);
  return bundle;
}

/** Formats a message with its arguments; null if the catalogue does not have it. */
function formatMessage(
  bundle: FluentBundle,
  key: string,
  args: Record<string, FluentVariable> | null = null,
): string | null {
  const [id, attribute] = key.split('.') as [string, string | undefined];
  const message = bundle.getMessage(id);
  const pattern = attribute === undefined ? message?.value : message?.attributes[attribute];
  if (pattern === undefined || pattern === null) return null;
  const errors: Error[] = [];
  const text = bundle.formatPattern(pattern, args, errors);
  for (const error of errors) console.warn(`${key} in ${bundle.locales.join()}:`, error);
  return text;
}

/** The page's language. Components get it from the context. */
export const languageStore = new LanguageStore();
