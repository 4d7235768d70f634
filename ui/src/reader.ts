// Reads the screens aloud, where the operator wants it.
import { language } from './language/language.svelte';
import { hush, readAloud } from './voice';

const TITLE = '[data-testid=status-title]';

/** Reads every new title within `stage`, and the line below it, until the answer is called. */
export function readScreens(stage: HTMLElement): () => void {
  let last = '';
  const read = () => {
    const title = stage.querySelector(TITLE)?.textContent?.trim() ?? '';
    if (title === '' || title === last) return;
    last = title;
    const lines = [...stage.querySelectorAll('main .lead, [data-testid=consent-text]')];
    const said = [title, ...lines.map((line) => line.textContent?.trim() ?? '')].filter((one) => one !== '');
    readAloud(said.join(' '), language());
  };
  read();
  const changes = new MutationObserver(read);
  changes.observe(stage, { childList: true, characterData: true, subtree: true });
  return () => {
    changes.disconnect();
    hush();
  };
}
