// The operator's own texts, and which language a visitor gets.
import type { LocalizedTextView } from '../generated/view';
import { LOCALES } from './locales';

/** A text and its language. */
export interface TextInLanguage {
  text: string;
  /** A BCP 47 tag. */
  tag: string;
}

/** The text in the first language of `wanted` that has one, else the first text there is; null when there is none. */
export function pickOperatorText(texts: LocalizedTextView, wanted: readonly string[]): TextInLanguage | null {
  for (const tag of [...wanted, ...LOCALES, ...Object.keys(texts)]) {
    const text = texts[tag];
    if (text !== undefined) return { text, tag };
  }
  return null;
}
