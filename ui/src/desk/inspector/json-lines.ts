// Formats a JSON body as lines, each with its JSON Pointer. Values keep their original text.
import type { RequirementVerdictView } from '../../generated/view';

/** A token of a line. */
export interface JsonToken {
  kind: 'key' | 'string' | 'number' | 'word' | 'mark';
  text: string;
}

/** A line of formatted JSON, and the JSON Pointer of the value that starts on it; null on a closing line. */
export interface JsonLine {
  depth: number;
  pieces: JsonToken[];
  pointer: string | null;
}

/** Maximum number of lines. */
const MAX_LINES = 5000;
const TOKEN_PATTERN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:]/g;

/** The lines of a JSON text; null when it is not JSON. */
export function formatJsonLines(body: string): JsonLine[] | null {
  try {
    JSON.parse(body);
  } catch {
    return null;
  }
  const tokens = body.match(TOKEN_PATTERN) ?? [];
  const lines: JsonLine[] = [];
  let at = 0;
  const peek = () => tokens[at] ?? '';
  const take = () => tokens[at++] ?? '';
  const mark = (text: string): JsonToken => ({ kind: 'mark', text });
  const push = (line: JsonLine) => {
    if (lines.length < MAX_LINES) lines.push(line);
  };

  /** Adds the lines of the next value. `lead` comes before it and `trail` after it. */
  function pushValueLines(depth: number, pointer: string, lead: JsonToken[], trail: () => JsonToken[]): void {
    const token = take();
    if (token !== '{' && token !== '[') {
      push({ depth, pointer, pieces: [...lead, jsonScalarToken(token), ...trail()] });
      return;
    }
    const close = token === '{' ? '}' : ']';
    if (peek() === close) {
      take();
      push({ depth, pointer, pieces: [...lead, mark(token + close), ...trail()] });
      return;
    }
    push({ depth, pointer, pieces: [...lead, mark(token)] });
    const comma = () => (peek() === ',' ? [mark(take())] : []);
    for (let index = 0; peek() !== close && at < tokens.length; index += 1) {
      if (token === '[') {
        pushValueLines(depth + 1, `${pointer}/${index}`, [], comma);
        continue;
      }
      const key = take();
      take();
      pushValueLines(
        depth + 1,
        `${pointer}/${jsonPointerSegment(key)}`,
        [{ kind: 'key', text: key }, mark(': ')],
        comma,
      );
    }
    take();
    push({ depth, pointer: null, pieces: [mark(close), ...trail()] });
  }
  pushValueLines(0, '', [], () => []);
  return lines;
}

/** The requirements on the body by line index. One on a missing value is placed at the object that lacks it. */
export function placeRequirementsOnLines(
  lines: readonly JsonLine[],
  rules: readonly RequirementVerdictView[],
): Map<number, (RequirementVerdictView & { missing: boolean })[]> {
  const at = new Map<number, (RequirementVerdictView & { missing: boolean })[]>();
  for (const rule of rules) {
    if (!isBodyRequirement(rule)) continue;
    let pointer = rule.at;
    let line = lines.findIndex((one) => one.pointer === pointer);
    const missing = line < 0;
    while (line < 0 && pointer !== '') {
      pointer = pointer.slice(0, pointer.lastIndexOf('/'));
      line = lines.findIndex((one) => one.pointer === pointer);
    }
    at.set(Math.max(0, line), [...(at.get(Math.max(0, line)) ?? []), { ...rule, missing }]);
  }
  return at;
}

/** Groups requirements by place, in the order of the places. */
export function groupRequirementsByPlace(
  rules: readonly RequirementVerdictView[],
): [string, RequirementVerdictView[]][] {
  const places = new Map<string, RequirementVerdictView[]>();
  for (const rule of rules) places.set(rule.at, [...(places.get(rule.at) ?? []), rule]);
  return [...places];
}

/** Whether a requirement is about the body, not the status or a header. */
export function isBodyRequirement({ at }: RequirementVerdictView): boolean {
  return at === '' || at.startsWith('/');
}

/** The JSON Pointer segment (RFC 6901) of a key, which is given as a JSON string literal. */
function jsonPointerSegment(key: string): string {
  return (JSON.parse(key) as string).replaceAll('~', '~0').replaceAll('/', '~1');
}

/** The token of a string, a number, or one of true, false and null. */
function jsonScalarToken(token: string): JsonToken {
  if (token.startsWith('"')) return { kind: 'string', text: token };
  return { kind: /^[tfn]/.test(token) ? 'word' : 'number', text: token };
}
