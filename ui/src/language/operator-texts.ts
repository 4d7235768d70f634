// What the operator says in their own words, and in which language one gets it: pure.
import type { Texts } from '../generated/view';
import { LOCALES } from './locales';

/** Words, and the language that they are in. */
export interface OperatorText {
  text: string;
  /** As a BCP 47 tag. */
  tag: string;
}

/** The text in the first language of `wanted` that it was written in, else in the first that there is; none of none. */
export function pickOperatorText(texts: Texts, wanted: readonly string[]): OperatorText | null {
  for (const tag of [...wanted, ...LOCALES, ...Object.keys(texts)]) {
    const text = texts[tag];
    if (text !== undefined) return { text, tag };
  }
  return null;
}
