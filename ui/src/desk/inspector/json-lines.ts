// A body as lines to read, each with its place in it: pure. The words of the body are kept as they came.
import type { RuleView } from '../../generated/view';

/** A piece of a line. */
export interface Piece {
  kind: 'key' | 'string' | 'number' | 'word' | 'mark';
  text: string;
}

/** A line, and the JSON Pointer of the value that begins on it; none where one ends. */
export interface Line {
  depth: number;
  pieces: Piece[];
  pointer: string | null;
}

/** More lines than anybody reads. */
const MOST = 5000;
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:]/g;

/** The lines of a JSON text; none when it is not JSON. */
export function linesOf(body: string): Line[] | null {
  try {
    JSON.parse(body);
  } catch {
    return null;
  }
  const tokens = body.match(TOKEN) ?? [];
  const lines: Line[] = [];
  let at = 0;
  const peek = () => tokens[at] ?? '';
  const take = () => tokens[at++] ?? '';
  const mark = (text: string): Piece => ({ kind: 'mark', text });
  const push = (line: Line) => {
    if (lines.length < MOST) lines.push(line);
  };

  function value(depth: number, pointer: string, lead: Piece[], trail: () => Piece[]): void {
    const token = take();
    if (token !== '{' && token !== '[') {
      push({ depth, pointer, pieces: [...lead, scalar(token), ...trail()] });
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
        value(depth + 1, `${pointer}/${index}`, [], comma);
        continue;
      }
      const key = take();
      take();
      value(depth + 1, `${pointer}/${escaped(key)}`, [{ kind: 'key', text: key }, mark(': ')], comma);
    }
    take();
    push({ depth, pointer: null, pieces: [mark(close), ...trail()] });
  }
  value(0, '', [], () => []);
  return lines;
}

/** Where the rules that speak of the body belong: by the line's index; what is missing stands at what it is missing in. */
export function placed(
  lines: readonly Line[],
  rules: readonly RuleView[],
): Map<number, (RuleView & { missing: boolean })[]> {
  const at = new Map<number, (RuleView & { missing: boolean })[]>();
  for (const rule of rules) {
    if (!inBody(rule)) continue;
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

/** The rules of each place together, the places in the order in which they come. */
export function byPlace(rules: readonly RuleView[]): [string, RuleView[]][] {
  const places = new Map<string, RuleView[]>();
  for (const rule of rules) places.set(rule.at, [...(places.get(rule.at) ?? []), rule]);
  return [...places];
}

/** Whether a rule speaks of the body, and not of the status or a header. */
export function inBody({ at }: RuleView): boolean {
  return at === '' || at.startsWith('/');
}

function escaped(key: string): string {
  return (JSON.parse(key) as string).replaceAll('~', '~0').replaceAll('/', '~1');
}

function scalar(token: string): Piece {
  if (token.startsWith('"')) return { kind: 'string', text: token };
  return { kind: /^[tfn]/.test(token) ? 'word' : 'number', text: token };
}
