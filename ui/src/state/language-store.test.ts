import { afterEach, describe, expect, it, vi } from 'vitest';
import problems from '../../../crates/copresence-engine/src/problem.rs?raw';
import {
  catalogLanguages,
  generateMessageTypesSource,
  readCatalogVariables,
  readCommittedMessageTypes,
} from '../../scripts/messages';
import type { Problem } from '../generated/view';
import { firstSupportedLocale, isRightToLeft, LOCALES } from '../language/locales';
import { languageStore } from './language-store.svelte';

const english = readCatalogVariables('en');

describe('the catalogues', () => {
  it('exist for every supported language', () => expect(catalogLanguages()).toEqual([...LOCALES].sort()));

  it.each(LOCALES)('%s is valid, and has the keys and variables of the English one', (locale) => {
    const { messages, junk } = readCatalogVariables(locale);
    expect(junk).toEqual([]);
    expect([...messages.keys()].sort()).toEqual([...english.messages.keys()].sort());
    for (const [key, names] of english.messages) expect(messages.get(key), key).toEqual(names);
  });

  it.each(LOCALES.filter((locale) => locale !== 'en'))(
    '%s says nothing in English by oversight',
    (locale) => {
      languageStore.setLocale(locale);
      const same = [...english.messages]
        // The tag of a demonstration is the same word in some languages.
        .filter(([key, names]) => names.length === 0 && key !== 'demo')
        .map(([key]) => key as 'demo')
        .filter((key) => {
          const there = languageStore.translate(key);
          languageStore.setLocale('en');
          const here = languageStore.translate(key);
          languageStore.setLocale(locale);
          return there === here;
        });
      // Words shared by two languages.
      expect(same.filter((key) => !['face-surprise'].includes(key))).toEqual([]);
    },
  );

  it('let Japanese titles break between phrases, which not every web view finds by itself', () => {
    languageStore.setLocale('ja');
    const titles = [...english.messages]
      .filter(([key, names]) => /-title|^problem-[^.]*$|^reveal-lighting$/.test(key) && names.length === 0)
      .map(([key]) => languageStore.translate(key as 'demo'));
    expect(titles.length).toBeGreaterThan(40);
    for (const title of titles) {
      const phrases = title.split('\u200b');
      expect(Math.max(...phrases.map((one) => one.length)), title).toBeLessThanOrEqual(11);
      if (title.length > 10) expect(phrases.length, title).toBeGreaterThan(1);
    }
    languageStore.setLocale('en');
  });

  it('match the committed types', () =>
    expect(readCommittedMessageTypes()).toBe(generateMessageTypesSource()));

  it('have no unused message', () => {
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
      // Looked up by problem code, or by the name of a face.
      .filter((key) => !key.startsWith('problem-') && !key.startsWith('face-'))
      .filter((key) => !said.includes(`'${key}'`) && !said.includes(`"${key}"`));
    expect(silent).toEqual([]);
  });
});

describe('a problem', () => {
  // The program's table, one row per code. Problems that only the desk can have share one sentence for visitors.
  const codes = [...problems.matchAll(/^ {4}build_problem_messages\(\s*"([a-z_]+)",(?!\s*TELL_STAFF)/gm)].map(
    ([, code]) => code as string,
  );
  const own = ['window_lost', 'window_refused'];

  it('has a message for every code of the program, and for no other', () => {
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
  it('says in English what to do where the language has no words for it', () => {
    languageStore.useCatalogue('eo', 'attract-start = Komencu');
    const { action } = languageStore.problemText({ ...problem, code: 'token_expired' });
    languageStore.setLocale('en');
    expect(action).toBe(languageStore.problemText({ ...problem, code: 'token_expired' }).action);
    expect(action).not.toBe('');
  });
  it('with an unknown code uses the program’s sentence', () => {
    expect(languageStore.problemText(problem)).toEqual({ title: 'Said by the program.', action: '' });
  });
  it('is shown in the language of the screen', () => {
    languageStore.setLocale('de');
    expect(languageStore.problemText({ ...problem, code: 'token_expired' }).title).toBe(
      'Dieser Code ist abgelaufen.',
    );
  });
});

describe('the language', () => {
  afterEach(() => languageStore.setLocale('en'));

  it('is the first preferred one that is supported', () => {
    expect(firstSupportedLocale(['de-AT', 'en'])).toBe('de');
    expect(firstSupportedLocale(['it', 'fr-CA', 'en'])).toBe('fr');
    expect(firstSupportedLocale(['zh-TW'])).toBe('zh-Hans');
    expect(firstSupportedLocale(['ja_JP'])).toBe('ja');
    expect(firstSupportedLocale(['it'])).toBe('en');
    expect(firstSupportedLocale([])).toBe('en');
  });

  it('is named in itself', () => expect(languageStore.localeName('ja')).toBe('日本語'));

  it('is set on the page, with its direction', () => {
    languageStore.setLocale('ja');
    expect(document.documentElement.lang).toBe('ja');
    expect(document.documentElement.dir).toBe('ltr');
    languageStore.useCatalogue('ar-XB', 'attract-start = أهلا');
    expect(document.documentElement.dir).toBe('rtl');
    expect(isRightToLeft('he')).toBe(true);
  });

  it('falls back to English message by message', () => {
    languageStore.useCatalogue('eo', 'attract-start = Komencu');
    expect(languageStore.translate('attract-start')).toBe('Komencu');
    expect(languageStore.translate('leave-back')).toBe('Back');
  });

  it('uses the plural rules of the language', () => {
    vi.spyOn(console, 'warn').mockImplementation((...said) => {
      throw new Error(String(said));
    });
    for (const locale of LOCALES) {
      languageStore.setLocale(locale);
      for (const count of [0, 1, 2, 7, 1_000_000]) {
        expect(languageStore.translate('idle-line', { seconds: count })).not.toContain('{');
      }
    }
    languageStore.setLocale('en');
    expect(languageStore.translate('keep-days', { count: 1 })).toContain('after one day');
    expect(languageStore.translate('keep-days', { count: 3 })).toContain('after 3 days');
  });
});
