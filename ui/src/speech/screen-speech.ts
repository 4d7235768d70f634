// Reads the screens aloud, where the operator wants it.
import { language } from '../state/language-store.svelte';
import { hush, readAloud, type Spoken } from './speech';

const TITLE = '[data-testid=status-title]';

/** Reads every new title within `stage`, and the line below it, until the answer is called. */
export function readScreens(stage: HTMLElement): () => void {
  let last = '';
  const read = () => {
    const title = stage.querySelector(TITLE);
    const words = title?.textContent?.trim() ?? '';
    if (!title || words === '' || words === last) return;
    last = words;
    readAloud(spokenOf([title, ...stage.querySelectorAll('main .lead, [data-testid=consent-text] p')]));
  };
  read();
  const changes = new MutationObserver(read);
  changes.observe(stage, { childList: true, characterData: true, subtree: true });
  return () => {
    changes.disconnect();
    hush();
  };
}

/** What the elements say, each part in the language that it is in: the operator's words may be in another one. */
function spokenOf(elements: readonly Element[]): Spoken[] {
  const parts: Spoken[] = [];
  for (const element of elements) {
    const text = element.textContent?.trim() ?? '';
    if (text === '') continue;
    const tag = element.closest<HTMLElement>('[lang]')?.lang || language();
    const before = parts.at(-1);
    if (before?.tag === tag) before.text += ` ${text}`;
    else parts.push({ text, tag });
  }
  return parts;
}
