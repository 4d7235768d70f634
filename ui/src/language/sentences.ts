// Splits text into sentences by the rules of a language.

const segmenters = new Map<string, Intl.Segmenter>();

/** The sentences of a text, each with the space after it. Concatenated they are the text. */
export function splitSentences(text: string, tag: string): { words: string; space: string }[] {
  let segmenter = segmenters.get(tag);
  if (!segmenter) {
    segmenter = new Intl.Segmenter(tag, { granularity: 'sentence' });
    segmenters.set(tag, segmenter);
  }
  return Array.from(segmenter.segment(text), ({ segment }) => {
    const words = segment.trimEnd();
    return { words, space: segment.slice(words.length) };
  });
}
