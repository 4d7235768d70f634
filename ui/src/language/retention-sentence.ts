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

/** The same next to the buttons of the reveal, whose effect it names. */
export function retentionSentenceAtReveal(language: LanguageStore, hours: number | null): string {
  return hours === 0 ? language.translate('keep-until-finished') : retentionSentence(language, hours);
}
