// Formats amounts, times and languages for the desk: short, aligned, in the machine's time zone.

/** Bytes, as in `18.4 MB`. */
export function formatBytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const [size, unit] =
    count < 1e6 ? [count / 1e3, 'kB'] : count < 1e9 ? [count / 1e6, 'MB'] : [count / 1e9, 'GB'];
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

/** A duration in milliseconds, as in `41 ms` or `2.60 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1) return '<1 ms';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000
    ? `${(ms / 1000).toFixed(2)} s`
    : `${Math.floor(ms / 60_000)} m ${Math.round((ms % 60_000) / 1000)} s`;
}

/** The shortest and the longest of several durations in milliseconds, as in `3–9 ms`. */
export function formatDurationRange(shortest: number, longest: number): string {
  const [from, to] = [formatDuration(shortest), formatDuration(longest)];
  if (from === to) return from;
  const [number, unit] = from.split(' ');
  return to.endsWith(` ${unit}`) ? `${number}–${to}` : `${from}–${to}`;
}

/** Milliseconds since the start, as in `+1:02.310`. */
export function formatTimeSinceStart(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  const [minutes, rest] = [Math.floor(whole / 60_000), whole % 60_000];
  return `+${minutes}:${String(Math.floor(rest / 1000)).padStart(2, '0')}.${String(rest % 1000).padStart(3, '0')}`;
}

const DATE_FORMAT = new Intl.DateTimeFormat('en-GB', { year: 'numeric', month: 'short', day: '2-digit' });
const TIME_FORMAT = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

/** A time of day, as in `15:42:08`. */
export function formatTimeOfDay(ms: number): string {
  return TIME_FORMAT.format(ms);
}

/** A date and time, as in `22 Nov 2026, 15:42:08`. Text that is no time is returned unchanged. */
export function formatDateTime(text: string): string {
  const at = Date.parse(text);
  return Number.isNaN(at) ? text : `${DATE_FORMAT.format(at)}, ${TIME_FORMAT.format(at)}`;
}

const LANGUAGE_NAMES = new Intl.DisplayNames('en', { type: 'language' });

/** The English name of a language, as in `German`. */
export function englishLanguageName(tag: string): string {
  return LANGUAGE_NAMES.of(tag) ?? tag;
}
