// Rows, filters and positions of the timeline.
import type { ExchangeView, TimelineEntry } from '../../generated/view';

/** A filter of the timeline. */
export interface TimelineFilter {
  /** Searched in URL, status, event and error. */
  text: string;
  /** Only exchanges with an unmet requirement. */
  broken: boolean;
  /** Only one kind of call, or `steps`. */
  call: string | null;
}

/** The kinds of calls as the program names them, and the steps between them. */
export const CALL_FILTERS = ['login', 'generate', 'redeem', 'download', 'steps'] as const;

/** Whether an entry matches the filter. */
export function matchesTimelineFilter(entry: TimelineEntry, { text, broken, call }: TimelineFilter): boolean {
  if (broken && !hasUnmetRequirement(entry)) return false;
  if (call !== null && (entry.kind === 'step' ? 'steps' : entry.exchange.call) !== call) return false;
  const wanted = text.trim().toLowerCase();
  return wanted === '' || wanted.split(/\s+/).every((word) => searchableEntryText(entry).includes(word));
}

/** The text of an entry that the filter searches, in lower case. Includes the ids of unmet requirements. */
function searchableEntryText(entry: TimelineEntry): string {
  if (entry.kind === 'step') return entry.line.toLowerCase();
  const { call, method, url, status, error, rules } = entry.exchange;
  const ids = rules.map(({ requirement, kept }) => (kept ? '' : requirement)).join(' ');
  return `${call} ${method} ${url} ${status ?? 'none'} ${error ?? ''} ${ids}`.toLowerCase();
}

/** Whether an entry has an unmet requirement. */
export function hasUnmetRequirement(entry: TimelineEntry): boolean {
  return entry.kind === 'exchange' && countUnmetRequirements(entry.exchange) > 0;
}

/** The number of requirements that an exchange does not meet. */
export function countUnmetRequirements({ rules }: ExchangeView): number {
  return rules.reduce((sum, { kept }) => sum + (kept ? 0 : 1), 0);
}

/** The start in milliseconds since 1970. */
export function entryStartMillis(entry: TimelineEntry): number {
  return entry.kind === 'step' ? entry.at_ms : entry.exchange.at_ms;
}

/** An entry with a key that stays the same when others are added. */
export interface KeyedTimelineEntry {
  key: string;
  entry: TimelineEntry;
}

/** The rows of a timeline. Steps may be identical: each is identified by its index among the steps. */
export function toKeyedTimelineEntries(entries: readonly TimelineEntry[]): KeyedTimelineEntry[] {
  let steps = 0;
  return entries.map((entry) => ({
    key: entry.kind === 'step' ? `step-${steps++}` : `exchange-${entry.exchange.id}`,
    entry,
  }));
}

/** A row of the list: one entry, or several exchanges in a row that are the same except for their times. */
export interface TimelineRow {
  /** The key of its first entry. */
  key: string;
  /** Its entries, in order. At least one. */
  entries: readonly [KeyedTimelineEntry, ...KeyedTimelineEntry[]];
  /** The key of the row that it belongs to when collapsed, if that row is expanded. */
  expandedFrom: string | null;
}

/**
 * Collapses exchanges that follow each other and are the same: request, status and body. Those with an unmet
 * requirement or an error stay alone, and so do those of a row that is `expanded`, named by its key.
 */
export function collapseRepeatedExchanges(
  entries: readonly KeyedTimelineEntry[],
  expanded: ReadonlySet<string> = new Set(),
): TimelineRow[] {
  const rows: (TimelineRow & { entries: [KeyedTimelineEntry, ...KeyedTimelineEntry[]] })[] = [];
  for (const keyed of entries) {
    const last = rows.at(-1);
    const isSame = last !== undefined && isUnremarkableRepeat(last.entries[0].entry, keyed.entry);
    if (isSame && last.expandedFrom === null) last.entries.push(keyed);
    else {
      const first = isSame ? last.expandedFrom : keyed.key;
      const expandedFrom = first !== null && expanded.has(first) ? first : null;
      rows.push({ key: keyed.key, entries: [keyed], expandedFrom });
    }
  }
  return rows;
}

/** Whether an exchange repeats another one, and nothing about either is remarkable. */
function isUnremarkableRepeat(one: TimelineEntry, other: TimelineEntry): boolean {
  if (one.kind !== 'exchange' || other.kind !== 'exchange') return false;
  const [a, b] = [one.exchange, other.exchange];
  const isPlain = ({ error, rules }: ExchangeView) => error === null && rules.every(({ kept }) => kept);
  return (
    isPlain(a) &&
    isPlain(b) &&
    a.call === b.call &&
    a.method === b.method &&
    a.url === b.url &&
    a.status === b.status &&
    a.request_body === b.request_body &&
    a.body_size === b.body_size &&
    a.response_body === b.response_body
  );
}

/** The shortest and the longest duration of the exchanges of a row, in milliseconds. */
export function shortestAndLongestDuration({ entries }: TimelineRow): [number, number] {
  const times = entries.map(({ entry }) => (entry.kind === 'exchange' ? entry.exchange.duration_ms : 0));
  return [Math.min(...times), Math.max(...times)];
}

/**
 * Rates an exchange: `bad` after an error, without an answer or with status 5xx; `doubt` with 3xx or 4xx;
 * otherwise `good`.
 */
export function rateExchangeGoodDoubtOrBad({ status, error }: ExchangeView): 'good' | 'doubt' | 'bad' {
  if (error !== null || status === null || status >= 500) return 'bad';
  return status >= 300 ? 'doubt' : 'good';
}

/** The time that a timeline covers. */
export interface TimelineTimeRange {
  from: number;
  length: number;
}

/** From the start of the visit to the end of its last entry. */
export function timeSpanOfVisit(from: number, entries: readonly TimelineEntry[]): TimelineTimeRange {
  const end = entries.reduce(
    (latest, entry) =>
      Math.max(latest, entryStartMillis(entry) + (entry.kind === 'step' ? 0 : entry.exchange.duration_ms)),
    from + 1,
  );
  return { from, length: end - from };
}

/** The position in a time span, 0 to 1000. */
export function positionInSpanPerMille({ from, length }: TimelineTimeRange, at: number): number {
  return Math.max(0, Math.min(1000, ((at - from) / length) * 1000));
}

/** The path and query of a URL, for narrow columns; the whole text if it has none. */
export function urlPathAndQuery(url: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/]+(\/.*)$/i.exec(url)?.[1] ?? url;
}

/**
 * Maps the size of each file in bytes to its name, from the steps of a visit; null where two files have the
 * same size.
 */
export function mapFileSizeToName(entries: readonly TimelineEntry[]): Map<number, string | null> {
  const files = new Map<number, string | null>();
  const tell = (name: unknown, bytes: unknown) => {
    if (typeof name !== 'string' || typeof bytes !== 'number') return;
    files.set(bytes, files.has(bytes) && files.get(bytes) !== name ? null : name);
  };
  for (const entry of entries) {
    if (entry.kind !== 'step' || (entry.event !== 'progress' && entry.event !== 'saved')) continue;
    try {
      const step = JSON.parse(entry.line) as { file?: unknown; total?: unknown; files?: unknown };
      tell(step.file, step.total);
      if (Array.isArray(step.files))
        for (const { path, bytes } of step.files as { path?: unknown; bytes?: unknown }[]) tell(path, bytes);
    } catch {
      // A step that cannot be parsed names no file.
    }
  }
  return files;
}

/** The name of the downloaded file, found by its size; else its content type. The URL is masked. */
export function downloadedFileNameOrType(
  { call, response_headers }: ExchangeView,
  files: ReadonlyMap<number, string | null>,
): string | null {
  if (call !== 'download') return null;
  const header = (name: string) => response_headers.find(([one]) => one.toLowerCase() === name)?.[1];
  const length = /\/(\d+)$/.exec(header('content-range') ?? '')?.[1] ?? header('content-length');
  return (length === undefined ? null : files.get(Number(length))) ?? header('content-type') ?? null;
}

/** A step without its name and time: the avatar's progress in short form, otherwise the remaining fields. */
export function summarizeStep(line: string): string {
  try {
    const { event, visit: _, at: __, ...rest } = JSON.parse(line) as Record<string, unknown>;
    if (event === 'status') {
      const { completion_status: status, completion_progress: progress, queue_position: place } = rest;
      if (status === 'in_queue' && typeof place === 'number') return `queue ${place}`;
      if (status === 'processing' && typeof progress === 'number') return `processing ${progress} %`;
      if (typeof status === 'string') return status;
    }
    return Object.entries(rest)
      .filter(([, value]) => value !== null && value !== '')
      .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
      .join(', ');
  } catch {
    return line;
  }
}
