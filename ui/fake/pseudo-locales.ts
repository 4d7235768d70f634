// Pseudo-locales for layout tests, generated from English: one is a third longer, one also runs from right to left.
import en from '../../locales/en.ftl?raw';
import { languageStore } from '../src/state/language-store.svelte';

/** Shows every message in a pseudo-locale. */
export function setPseudoLocale(which: 'long' | 'mirrored'): void {
  const source = en
    .split('\n')
    .map((line) => (line.startsWith('#') || /->\s*$/.test(line) ? line : lengthenLine(line)))
    .join('\n');
  // A tag of a language with the intended direction.
  languageStore.useCatalogue(which === 'long' ? 'en-XA' : 'ar-XB', source);
}

function lengthenLine(line: string): string {
  const [, key, text] = /^(\s*(?:\*?\[[\w-]+\]|\.?[\w-]+ =) ?)(.+)$/.exec(line) ?? [];
  if (key === undefined || text === undefined || key.startsWith('language-name')) return line;
  const said = text.replace(/\{[^}]*\}/g, '').length;
  const extra = 'looreem ipsuum doloor '.repeat(8).slice(0, Math.ceil(said * 0.3));
  return `${key}${text.replace(/[.!?]?$/, (end) => ` ${extra.trim()}${end}`)}`;
}
