import { waitFor } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sandboxBackend, screens } from '../../fake/fixtures';
import { FakeHost } from '../../fake/host';
import { renderScreen } from '../../fake/render-app';
import { languageStore } from '../state/language-store.svelte';
import { speakPartsHavingVoices } from './speech';

interface Said {
  text: string;
  lang: string;
}

describe('a screen that is read aloud', () => {
  const said: Said[] = [];
  let voices: { lang: string }[] = [];
  let onVoices = () => {};
  let cancelled = 0;

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
      cancel: () => {
        cancelled += 1;
      },
      speak: (one: Said) => said.push({ text: one.text, lang: one.lang }),
      addEventListener: (_: string, listener: () => void) => {
        onVoices = listener;
      },
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  const spoken = () => said.map(({ text }) => text);

  it('is read when the operator has turned it on: title and line, once, in its language', async () => {
    const host = new FakeHost(screens.attract, {}, sandboxBackend, { voice: true });
    await renderScreen(screens.attract, host);
    await waitFor(() =>
      expect(spoken()).toEqual([
        `${languageStore.translate('attract-title')} ${languageStore.translate('attract-line')}`,
      ]),
    );
    host.showScreen(screens.making);
    const making = `${languageStore.translate('making-processing-title')} ${languageStore.translate('making-processing-line')}`;
    await waitFor(() => expect(spoken().at(-1)).toBe(making));
    host.showScreen({ ...screens.making, progress: 80 });
    languageStore.setLocale('de');
    await waitFor(() => expect(said.at(-1)?.lang).toBe('de_DE'));
    expect(said).toHaveLength(3);
    host.setBooth({ voice: false });
    host.showScreen(screens.saving);
    await waitFor(() => expect(document.querySelector('[data-screen=saving]')).toBeTruthy());
    expect(said).toHaveLength(3);
  });

  it('is read in the language of the operator’s text', async () => {
    const consent = { kind: 'consent', texts: { de: 'Wir filmen.\n\nUnd speichern.' } } as const;
    await renderScreen(consent, new FakeHost(consent, {}, sandboxBackend, { voice: true }));
    const german = { text: 'Wir filmen. Und speichern.', lang: 'de_DE' };
    const note = languageStore.translate('consent-other-language', { language: 'German' });
    await waitFor(() =>
      expect(said).toEqual([
        { text: `${languageStore.translate('consent-title')} ${note}`, lang: 'en-GB' },
        german,
      ]),
    );
    said.length = 0;
    // Parts without a voice are skipped.
    languageStore.setLocale('fr');
    await waitFor(() => expect(said).toEqual([german]));
    said.length = 0;
    languageStore.setLocale('de');
    const all = `${languageStore.translate('consent-title')} ${german.text}`;
    await waitFor(() => expect(said).toEqual([{ ...german, text: all }]));
  });

  it('is not read by default', async () => {
    await renderScreen(screens.attract);
    expect(said).toEqual([]);
  });

  it('stays silent without a voice, and speaks once voices are there', () => {
    voices = [];
    speakPartsHavingVoices([{ text: 'first', tag: 'en' }]);
    speakPartsHavingVoices([{ text: 'second', tag: 'en' }]);
    expect(said).toEqual([]);
    voices = [{ lang: 'en-US' }];
    onVoices();
    expect(spoken()).toEqual(['second']);
    cancelled = 0;
    speakPartsHavingVoices([{ text: 'こんにちは', tag: 'ja' }]);
    expect(spoken()).toEqual(['second']);
    // Text that has left the screen is not read on.
    expect(cancelled).toBeGreaterThan(0);
  });

  it('stays silent without speech synthesis', () => {
    vi.stubGlobal('speechSynthesis', undefined);
    expect(() => speakPartsHavingVoices([{ text: 'words', tag: 'en' }])).not.toThrow();
  });
});
