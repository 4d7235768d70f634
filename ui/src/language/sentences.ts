// Where one sentence ends and the next begins, as the language has it.

const segmenters = new Map<string, Intl.Segmenter>();

/** The sentences of a text, each with the space that follows it; together they are the text. */
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
