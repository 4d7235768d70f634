import { translate } from '../state/language-store.svelte';

/** How long the files of a visit are kept, in a sentence: hours, 0 until the visitor leaves, none for ever. */
export function retentionSentence(hours: number | null): string {
  if (hours === null) return translate('keep-for-ever');
  if (hours === 0) return translate('keep-while-here');
  const days = hours / 24;
  return Number.isInteger(days)
    ? translate('keep-days', { count: days })
    : translate('keep-hours', { count: hours });
}

/** As `sayKept`, beside the buttons that end it: what they do to it. */
export function retentionSentenceAtReveal(hours: number | null): string {
  return hours === 0 ? translate('keep-until-finished') : retentionSentence(hours);
}
