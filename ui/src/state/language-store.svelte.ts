// The language of the screen, and everything that is said in it.
import { FluentBundle, FluentResource, type FluentVariable } from '@fluent/bundle';
import en from '../../../locales/en.ftl?raw';
import type { Messages } from '../generated/messages';
import type { Problem, Texts } from '../generated/view';
import { Amounts } from '../language/number-format';
import { type Told, toldIn } from '../language/operator-texts';
import { choose, rightToLeft, TONGUES, type Tongue } from '../language/locales';

/** A key of the catalogues. */
export type Key = keyof Messages;

const sources = import.meta.glob<string>('../../../locales/*.ftl', {
  query: '?raw',
  import: 'default',
  eager: true,
});

const state = $state<{ tag: string }>({ tag: 'en' });
const bundles = new Map<string, FluentBundle>();
const english = bundleOf('en', en);

/** The language of the screen, as a BCP 47 tag. */
export function language(): string {
  return state.tag;
}

/** Says everything in another language from now on. */
export function speak(tongue: Tongue): void {
  set(tongue);
}

/** The language that the operator wants visitors to be met in. */
let greeting: string | null = null;

/** Sets the language in which a new visitor is met, none for the system's; whether that is news. */
export function greetIn(tag: string | null): boolean {
  const news = tag !== greeting;
  greeting = tag;
  return news;
}

/** Says everything in the language that a new visitor is met in. */
export function speakDefault(): void {
  set(metIn(greeting));
}

/** The language that a new visitor is met in, by what the operator set; the system's where that is nothing. */
export function metIn(tag: string | null): Tongue {
  const system = navigator.languages ?? [navigator.language];
  return choose(tag === null ? system : [tag, ...system]);
}

/**
 * The operator's own words in the language of the screen, else in the one that a new visitor is met in, else in the
 * first there is; none where they were written in none.
 */
export function sayOwn(texts: Texts, greeted: string | null): Told | null {
  return toldIn(texts, [state.tag, metIn(greeted)]);
}

/** Takes a catalogue that is not among the program's own, for tests of the layout. */
export function speakForeign(tag: string, source: string): void {
  bundles.set(tag, bundleOf(tag, source));
  set(tag);
}

/** The message in the language of the screen. */
export function say<K extends Key>(key: K, ...given: Messages[K] extends null ? [] : [Messages[K]]): string {
  return saidBy(bundle(state.tag), key, given[0]) ?? saidBy(english, key, given[0]) ?? key;
}

/** The name of a language in itself. */
export function nameOf(tongue: Tongue): string {
  return saidBy(bundle(tongue), 'language-name') ?? tongue;
}

/** A failure in the visitor's words, and the one thing to do: by its code, else the program's own sentence. */
export function sayProblem(problem: Problem): { said: string; todo: string } {
  const key = `problem-${problem.code.replaceAll('_', '-')}`;
  const said = saidBy(bundle(state.tag), key) ?? saidBy(english, key);
  if (said === null) return { said: problem.visitor, todo: '' };
  return { said, todo: saidBy(bundle(state.tag), `${key}.do`) ?? '' };
}

const amountsOf = new Map<string, Amounts>();

/** Numbers, sizes and times as the language of the screen writes them. */
export function amounts(): Amounts {
  let found = amountsOf.get(state.tag);
  if (!found) {
    found = new Amounts(state.tag);
    amountsOf.set(state.tag, found);
  }
  return found;
}

function set(tag: string): void {
  state.tag = tag;
  document.documentElement.lang = tag;
  document.documentElement.dir = rightToLeft(tag) ? 'rtl' : 'ltr';
}

function bundle(tag: string): FluentBundle {
  let found = bundles.get(tag);
  if (!found) {
    found = bundleOf(tag, sources[`../../../locales/${tag}.ftl`] ?? en);
    bundles.set(tag, found);
  }
  return found;
}

function bundleOf(tag: string, source: string): FluentBundle {
  // Marks around what is filled in are needed only where the direction changes.
  const made = new FluentBundle(tag, { useIsolating: rightToLeft(tag) });
  const faults = made.addResource(new FluentResource(source));
  for (const fault of faults) console.warn(`the catalogue of ${tag}:`, fault);
  return made;
}

function saidBy(
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

speakDefault();

export { TONGUES, type Told, type Tongue };
