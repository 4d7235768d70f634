// Colours, durations and font sizes are tokens in one file.
import { expect, it } from 'vitest';

const sources = import.meta.glob<string>(
  ['./App.svelte', './app.css', './parts/*.svelte', './screens/*.svelte', './stage/*.svelte'],
  { query: '?raw', import: 'default', eager: true },
);

/** A literal that belongs into `tokens.css`. Black in a mask and a zero duration are allowed. */
const LITERAL =
  /#[\da-f]{3,8}\b|\b(?:rgb|hsl|oklch)a?\([^)]*\)|(?<![\w.-])(?!0s)\d*\.?\d+m?s\b|font(?:-size)?: [\d.]+rem/gi;

it.each(Object.entries(sources))('%s uses only tokens', (path, source) => {
  const style = path.endsWith('.css') ? source : (/<style>([\s\S]*)<\/style>/.exec(source)?.[1] ?? '');
  const declared = style.replace(/\/\*[\s\S]*?\*\//g, '').replace(/mask-image:[^;]*;/g, '');
  expect(declared.match(LITERAL) ?? []).toEqual([]);
});
