import { waitFor } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { show } from './app-test';
import { FakeHost } from './host/fake';
import { backend, screens } from './host/fixtures';
import { say, speak } from './language/language.svelte';
import { readAloud } from './voice';

interface Said {
  text: string;
  lang: string;
}

describe('a screen that is read aloud', () => {
  const said: Said[] = [];
  let voices: { lang: string }[] = [];
  let onVoices = () => {};

  beforeEach(() => {
    said.length = 0;
    voices = [{ lang: 'en-GB' }, { lang: 'de_DE' }];
    vi.stubGlobal(
      'SpeechSynthesisUtterance',
      class {
        lang = '';
        constructor(readonly text: string) {}
      },
    );
    vi.stubGlobal('speechSynthesis', {
      getVoices: () => voices,
      cancel: () => {},
      speak: (one: Said) => said.push({ text: one.text, lang: one.lang }),
      addEventListener: (_: string, listener: () => void) => {
        onVoices = listener;
      },
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  const spoken = () => said.map(({ text }) => text);

  it('is, where the operator wants it: title and line, once, in its language', async () => {
    const host = new FakeHost(screens.attract, {}, backend, { voice: true });
    await show(screens.attract, host);
    await waitFor(() => expect(spoken()).toEqual([`${say('attract-title')} ${say('attract-line')}`]));
    host.show(screens.making);
    const making = `${say('making-processing-title')} ${say('making-processing-line')}`;
    await waitFor(() => expect(spoken().at(-1)).toBe(making));
    host.show({ ...screens.making, progress: 80 });
    speak('de');
    await waitFor(() => expect(said.at(-1)?.lang).toBe('de_DE'));
    expect(said).toHaveLength(3);
    host.set({ voice: false });
    host.show(screens.saving);
    await waitFor(() => expect(document.querySelector('[data-screen=saving]')).toBeTruthy());
    expect(said).toHaveLength(3);
  });

  it('is not, where nobody asked for it', async () => {
    await show(screens.attract);
    expect(said).toEqual([]);
  });

  it('stays silent without a voice, and speaks once voices are there', () => {
    voices = [];
    readAloud('first', 'en');
    readAloud('second', 'en');
    expect(said).toEqual([]);
    voices = [{ lang: 'en-US' }];
    onVoices();
    expect(spoken()).toEqual(['second']);
    readAloud('こんにちは', 'ja');
    expect(spoken()).toEqual(['second']);
  });

  it('stays silent where the machine cannot speak at all', () => {
    vi.stubGlobal('speechSynthesis', undefined);
    expect(() => readAloud('words', 'en')).not.toThrow();
  });
});
