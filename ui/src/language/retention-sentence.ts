import { say } from '../state/language-store.svelte';

/** How long the files of a visit are kept, in a sentence: hours, 0 until the visitor leaves, none for ever. */
export function sayKept(hours: number | null): string {
  if (hours === null) return say('keep-for-ever');
  if (hours === 0) return say('keep-while-here');
  const days = hours / 24;
  return Number.isInteger(days) ? say('keep-days', { count: days }) : say('keep-hours', { count: hours });
}

/** As `sayKept`, beside the buttons that end it: what they do to it. */
export function sayKeptBeside(hours: number | null): string {
  return hours === 0 ? say('keep-until-finished') : sayKept(hours);
}
