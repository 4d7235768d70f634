import { afterEach, describe, expect, it, vi } from 'vitest';
import problems from '../../../crates/kiosk/src/problem.rs?raw';
import { catalogue, committedTypes, languages, types } from '../../scripts/messages';
import type { Problem } from '../generated/view';
import { nameOf, say, sayProblem, speak, speakForeign } from './language-store.svelte';
import { choose, rightToLeft, TONGUES } from '../language/locales';

const english = catalogue('en');

describe('the catalogues', () => {
  it('are those of the languages that are offered', () => expect(languages()).toEqual([...TONGUES].sort()));

  it.each(TONGUES)('%s can be read, and has the keys and variables of the English one', (tongue) => {
    const { messages, junk } = catalogue(tongue);
    expect(junk).toEqual([]);
    expect([...messages.keys()].sort()).toEqual([...english.messages.keys()].sort());
    for (const [key, names] of english.messages) expect(messages.get(key), key).toEqual(names);
  });

  it.each(TONGUES.filter((tongue) => tongue !== 'en'))(
    '%s says nothing in English by oversight',
    (tongue) => {
      speak(tongue);
      const same = [...english.messages]
        .filter(([, names]) => names.length === 0)
        .map(([key]) => key as 'demo')
        .filter((key) => {
          const there = say(key);
          speak('en');
          const here = say(key);
          speak(tongue);
          return there === here;
        });
      // Words that two languages share.
      expect(same.filter((key) => !['face-surprise'].includes(key))).toEqual([]);
    },
  );

  it('have their types as committed', () => expect(committedTypes()).toBe(types()));

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
  const codes = [...problems.matchAll(/^ {4}words\(\s*"([a-z_]+)",(?!\s*STAFF)/gm)].map(
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
    expect(sayProblem(problem)).toEqual({ said: 'Said by the program.', todo: '' });
  });
  it('is said in the language of the screen', () => {
    speak('de');
    expect(sayProblem({ ...problem, code: 'token_expired' }).said).toBe('Dieser Code ist abgelaufen.');
  });
});

describe('the language', () => {
  afterEach(() => speak('en'));

  it('is the first that is wanted and there', () => {
    expect(choose(['de-AT', 'en'])).toBe('de');
    expect(choose(['it', 'fr-CA', 'en'])).toBe('fr');
    expect(choose(['zh-TW'])).toBe('zh-Hans');
    expect(choose(['ja_JP'])).toBe('ja');
    expect(choose(['it'])).toBe('en');
    expect(choose([])).toBe('en');
  });

  it('is named in itself', () => expect(nameOf('ja')).toBe('日本語'));

  it('is known to the page, with its direction', () => {
    speak('ja');
    expect(document.documentElement.lang).toBe('ja');
    expect(document.documentElement.dir).toBe('ltr');
    speakForeign('ar-XB', 'attract-start = أهلا');
    expect(document.documentElement.dir).toBe('rtl');
    expect(rightToLeft('he')).toBe(true);
  });

  it('falls back to English, sentence by sentence', () => {
    speakForeign('eo', 'attract-start = Komencu');
    expect(say('attract-start')).toBe('Komencu');
    expect(say('leave-back')).toBe('Back');
  });

  it('counts as the language does', () => {
    vi.spyOn(console, 'warn').mockImplementation((...said) => {
      throw new Error(String(said));
    });
    for (const tongue of TONGUES) {
      speak(tongue);
      for (const count of [0, 1, 2, 7, 1_000_000]) {
        expect(say('saving-more', { count })).not.toContain('{');
        expect(say('idle-line', { seconds: count })).not.toContain('{');
      }
    }
    speak('en');
    expect(say('saving-more', { count: 1 })).toBe('and one more file');
    expect(say('saving-more', { count: 3 })).toBe('and 3 more files');
  });
});
