// Reads the screens aloud where the operator has turned this on.
import type { LanguageStore } from '../state/language-store.svelte';
import { speakPartsHavingVoices, stopSpeaking, type TextWithLanguage } from './speech';

const TITLE_SELECTOR = '[data-testid=status-title]';

/** Reads every new title within `stage`, and the text below it, until the returned function is called. */
export function readScreensAloud(stage: HTMLElement, language: LanguageStore): () => void {
  let last = '';
  const read = () => {
    const title = stage.querySelector(TITLE_SELECTOR);
    const words = title?.textContent?.trim() ?? '';
    if (!title || words === '' || words === last) return;
    last = words;
    speakPartsHavingVoices(
      speechPartsOfElements(language, [
        title,
        ...stage.querySelectorAll(
          'main .lead, [data-testid=consent-other-language], [data-testid=consent-text] p',
        ),
      ]),
    );
  };
  read();
  const changes = new MutationObserver(read);
  changes.observe(stage, { childList: true, characterData: true, subtree: true });
  return () => {
    changes.disconnect();
    stopSpeaking();
  };
}

/** The text of the elements, each part in its language: the operator's texts may be in another one. */
function speechPartsOfElements(language: LanguageStore, elements: readonly Element[]): TextWithLanguage[] {
  const parts: TextWithLanguage[] = [];
  for (const element of elements) {
    // Without the places for a line break.
    const text = element.textContent?.replaceAll('\u200b', '').trim() ?? '';
    if (text === '') continue;
    const tag = element.closest<HTMLElement>('[lang]')?.lang || language.locale;
    const before = parts.at(-1);
    if (before?.tag === tag) before.text += ` ${text}`;
    else parts.push({ text, tag });
  }
  return parts;
}
