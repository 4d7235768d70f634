// Generates the types of the messages from the English catalogue: `npm run messages`.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Message, type Pattern, parse, Visitor } from '@fluent/syntax';

const here = dirname(fileURLToPath(import.meta.url));
const locales = join(here, '../../locales');
const typesFile = join(here, '../src/generated/messages.ts');

/** For each message and attribute of a catalog the variables that it uses, and the entries that cannot be read. */
export interface CatalogVariables {
  messages: Map<string, string[]>;
  junk: string[];
}

/** The languages that have a catalogue. */
export function catalogLanguages(): string[] {
  return readdirSync(locales)
    .filter((name) => name.endsWith('.ftl'))
    .map((name) => name.replace('.ftl', ''))
    .sort();
}

/** Reads the variables of each message in a language's catalogue, and what could not be parsed. */
export function readCatalogVariables(language: string): CatalogVariables {
  const messages = new Map<string, string[]>();
  const junk: string[] = [];
  for (const entry of parse(readFileSync(join(locales, `${language}.ftl`), 'utf8'), {}).body) {
    if (entry.type === 'Junk') junk.push(entry.content);
    if (entry.type !== 'Message') continue;
    for (const [key, pattern] of keyedPatternsOfFluentMessage(entry)) {
      if (messages.has(key)) junk.push(`${key} stands twice`);
      messages.set(key, patternVariables(pattern));
    }
  }
  return { messages, junk };
}

/** The expected content of `ui/src/generated/messages.ts`. */
export function generateMessageTypesSource(): string {
  const lines = [...readCatalogVariables('en').messages].map(([key, names]) => {
    const args = names.map((name) => `${name}: string | number`).join('; ');
    return `  '${key}': ${args ? `{ ${args} }` : 'null'};`;
  });
  return [
    '// Derived from locales/en.ftl; do not edit.',
    '// cd ui && npm run messages',
    '',
    '/** Every message of the catalogues, and what it must be given. */',
    'export interface Messages {',
    ...lines,
    '}',
    '',
  ].join('\n');
}

/** Reads the committed `ui/src/generated/messages.ts`. */
export function readCommittedMessageTypes(): string {
  return readFileSync(typesFile, 'utf8');
}

/** The Fluent patterns of a message and of its attributes, each with its key. */
function keyedPatternsOfFluentMessage({ id, value, attributes }: Message): [string, Pattern][] {
  const own: [string, Pattern][] = value ? [[id.name, value]] : [];
  return [...own, ...attributes.map((one): [string, Pattern] => [`${id.name}.${one.id.name}`, one.value])];
}

/** The names of the variables in a pattern, each once. */
function patternVariables(pattern: Pattern): string[] {
  const names = new Set<string>();
  const visitor = new (class extends Visitor {
    override visitVariableReference({ id }: { id: { name: string } }): void {
      names.add(id.name);
    }
  })();
  visitor.visit(pattern);
  return [...names].sort();
}

if (process.argv.includes('--write')) {
  writeFileSync(typesFile, generateMessageTypesSource());
  console.log(`written: ${typesFile}`);
}
