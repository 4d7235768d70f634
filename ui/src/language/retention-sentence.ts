import type { LanguageStore } from '../state/language-store.svelte';

/** How long the files of a visit are kept, as a sentence: hours, 0 until the visitor leaves, null forever. */
export function retentionSentence(language: LanguageStore, hours: number | null): string {
  if (hours === null) return language.translate('keep-for-ever');
  if (hours === 0) return language.translate('keep-while-here');
  const days = hours / 24;
  return Number.isInteger(days)
    ? language.translate('keep-days', { count: days })
    : language.translate('keep-hours', { count: hours });
}

/**
 * The retention sentence for the reveal. With 0 hours it names the effect of the buttons beside it: the files are
 * deleted when the visitor finishes or makes another avatar.
 */
export function retentionSentenceAtReveal(language: LanguageStore, hours: number | null): string {
  return hours === 0 ? language.translate('keep-until-finished') : retentionSentence(language, hours);
}
