import { afterEach, describe, expect, it, vi } from 'vitest';
import problems from '../../../crates/copresence-engine/src/problem.rs?raw';
import {
  catalogueLanguages,
  committedMessageTypes,
  generateMessageTypes,
  readCatalogue,
} from '../../scripts/messages';
import type { Problem } from '../generated/view';
import { isRightToLeft, LOCALES, matchLocale } from '../language/locales';
import { languageStore } from './language-store.svelte';

const english = readCatalogue('en');

describe('the catalogues', () => {
  it('are those of the languages that are offered', () =>
    expect(catalogueLanguages()).toEqual([...LOCALES].sort()));

  it.each(LOCALES)('%s can be read, and has the keys and variables of the English one', (tongue) => {
    const { messages, junk } = readCatalogue(tongue);
    expect(junk).toEqual([]);
    expect([...messages.keys()].sort()).toEqual([...english.messages.keys()].sort());
    for (const [key, names] of english.messages) expect(messages.get(key), key).toEqual(names);
  });

  it.each(LOCALES.filter((tongue) => tongue !== 'en'))(
    '%s says nothing in English by oversight',
    (tongue) => {
      languageStore.setLocale(tongue);
      const same = [...english.messages]
        .filter(([, names]) => names.length === 0)
        .map(([key]) => key as 'demo')
        .filter((key) => {
          const there = languageStore.translate(key);
          languageStore.setLocale('en');
          const here = languageStore.translate(key);
          languageStore.setLocale(tongue);
          return there === here;
        });
      // Words that two languages share.
      expect(same.filter((key) => !['face-surprise'].includes(key))).toEqual([]);
    },
  );

  it('have their types as committed', () => expect(committedMessageTypes()).toBe(generateMessageTypes()));

  it('say nothing that is never said', () => {
    const sources = import.meta.glob<string>(
      ['../**/*.svelte', '../**/*.ts', '!../generated/*', '!../**/*.test.ts'],
      {
        query: '?raw',
        import: 'default',
        eager: true,
      },
    );
    const said = Object.values(sources).join('\n');
    const silent = [...english.messages.keys()]
      // Found by the code that the program gives, and by the name of a face.
      .filter((key) => !key.startsWith('problem-') && !key.startsWith('face-'))
      .filter((key) => !said.includes(`'${key}'`) && !said.includes(`"${key}"`));
    expect(silent).toEqual([]);
  });
});

describe('a problem', () => {
  // The table of the program: one row a code. What only the desk can meet has one sentence for all visitors.
  const codes = [...problems.matchAll(/^ {4}message_row\(\s*"([a-z_]+)",(?!\s*TELL_STAFF)/gm)].map(
    ([, code]) => code as string,
  );
  const own = ['window_lost', 'window_refused'];

  it('has its words for every code of the program, and for no other', () => {
    expect(codes.length).toBeGreaterThan(15);
    const keys = [...english.messages.keys()].filter(
      (key) => key.startsWith('problem-') && !key.includes('.'),
    );
    expect(keys.sort()).toEqual(
      [...codes, ...own].map((code) => `problem-${code.replaceAll('_', '-')}`).sort(),
    );
    for (const key of keys) expect([...english.messages.keys()]).toContain(`${key}.do`);
  });

  const problem: Problem = {
    code: 'x',
    visitor: 'Said by the program.',
    operator: '',
    hint: 'for staff',
    retry_helps: true,
  };
  it('that nobody knows yet is said in the words of the program', () => {
    expect(languageStore.problemText(problem)).toEqual({ title: 'Said by the program.', action: '' });
  });
  it('is said in the language of the screen', () => {
    languageStore.setLocale('de');
    expect(languageStore.problemText({ ...problem, code: 'token_expired' }).title).toBe(
      'Dieser Code ist abgelaufen.',
    );
  });
});

describe('the language', () => {
  afterEach(() => languageStore.setLocale('en'));

  it('is the first that is wanted and there', () => {
    expect(matchLocale(['de-AT', 'en'])).toBe('de');
    expect(matchLocale(['it', 'fr-CA', 'en'])).toBe('fr');
    expect(matchLocale(['zh-TW'])).toBe('zh-Hans');
    expect(matchLocale(['ja_JP'])).toBe('ja');
    expect(matchLocale(['it'])).toBe('en');
    expect(matchLocale([])).toBe('en');
  });

  it('is named in itself', () => expect(languageStore.localeName('ja')).toBe('日本語'));

  it('is known to the page, with its direction', () => {
    languageStore.setLocale('ja');
    expect(document.documentElement.lang).toBe('ja');
    expect(document.documentElement.dir).toBe('ltr');
    languageStore.useCatalogue('ar-XB', 'attract-start = أهلا');
    expect(document.documentElement.dir).toBe('rtl');
    expect(isRightToLeft('he')).toBe(true);
  });

  it('falls back to English, sentence by sentence', () => {
    languageStore.useCatalogue('eo', 'attract-start = Komencu');
    expect(languageStore.translate('attract-start')).toBe('Komencu');
    expect(languageStore.translate('leave-back')).toBe('Back');
  });

  it('counts as the language does', () => {
    vi.spyOn(console, 'warn').mockImplementation((...said) => {
      throw new Error(String(said));
    });
    for (const tongue of LOCALES) {
      languageStore.setLocale(tongue);
      for (const count of [0, 1, 2, 7, 1_000_000]) {
        expect(languageStore.translate('saving-more', { count })).not.toContain('{');
        expect(languageStore.translate('idle-line', { seconds: count })).not.toContain('{');
      }
    }
    languageStore.setLocale('en');
    expect(languageStore.translate('saving-more', { count: 1 })).toBe('and one more file');
    expect(languageStore.translate('saving-more', { count: 3 })).toBe('and 3 more files');
  });
});
