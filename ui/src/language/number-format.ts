// Formats numbers, sizes, times and names of languages for a language, with the browser's own data.

const BYTE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** A part of a percentage, in the order of the language. */
export type PercentPart = { text: string; sign: boolean };

/** Formats amounts in one language. */
export class AmountFormatter {
  readonly #tag: string;
  readonly #percentFormat: Intl.NumberFormat;
  readonly #numberFormat: Intl.NumberFormat;
  readonly #twoDigitFormat: Intl.NumberFormat;

  constructor(tag: string) {
    this.#tag = tag;
    this.#percentFormat = new Intl.NumberFormat(tag, { style: 'percent', maximumFractionDigits: 0 });
    this.#numberFormat = new Intl.NumberFormat(tag);
    this.#twoDigitFormat = new Intl.NumberFormat(tag, { minimumIntegerDigits: 2 });
  }

  /** A whole number. */
  formatNumber(value: number): string {
    return this.#numberFormat.format(value);
  }

  /** A percentage (0 to 100) in parts: the sign is set smaller than the number. */
  formatPercentParts(value: number): PercentPart[] {
    const parts: PercentPart[] = [];
    for (const { type, value: text } of this.#percentFormat.formatToParts(value / 100)) {
      const sign = type === 'percentSign' || type === 'literal';
      const last = parts.at(-1);
      if (last && last.sign === sign) last.text += text;
      else parts.push({ text, sign });
    }
    return parts;
  }

  /** Bytes in decimal units: `840 B`, `1.2 MB`, `1,2 Mo`. */
  formatBytes(bytes: number): string {
    let value = Math.max(0, bytes);
    let unit = 0;
    while (unit < BYTE_UNITS.length - 1 && Math.round(value) >= 1000) {
      value /= 1000;
      unit += 1;
    }
    const digits = unit === 0 || value >= 100 ? 0 : 1;
    const format = new Intl.NumberFormat(this.#tag, {
      style: 'unit',
      unit: BYTE_UNITS[unit] ?? 'byte',
      unitDisplay: unit === 0 ? 'narrow' : 'short',
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    // Only the narrow form has a symbol for bytes, and it puts no space before it.
    const parts = format.formatToParts(value);
    const narrow = parts.every(({ type }) => type !== 'literal');
    return parts.map(({ type, value }) => (narrow && type === 'unit' ? `\u00a0${value}` : value)).join('');
  }

  /** Seconds as a clock: `4:05`, `1:02:03`. */
  formatClock(seconds: number): string {
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor((seconds % 3600) / 60);
    const rest = this.#twoDigitFormat.format(seconds % 60);
    return hours > 0
      ? `${this.#numberFormat.format(hours)}:${this.#twoDigitFormat.format(minutes)}:${rest}`
      : `${this.#numberFormat.format(minutes)}:${rest}`;
  }

  /** A local time within the next days, as in `2026-11-30T09:00:00`: `Monday 9:00 AM`, `Montag, 09:00`. */
  formatWeekdayAndTime(local: string): string {
    const format = new Intl.DateTimeFormat(this.#tag, {
      weekday: 'long',
      hour: 'numeric',
      minute: '2-digit',
    });
    return format.format(new Date(local));
  }

  /** The name of a language: `German`, `Deutsch`, `ドイツ語`. Its tag where the browser knows no name. */
  formatLanguageName(tag: string): string {
    try {
      return new Intl.DisplayNames(this.#tag, { type: 'language', fallback: 'code' }).of(tag) ?? tag;
    } catch {
      // An operator's file may contain what is no tag.
      return tag;
    }
  }

  /** A range of seconds in one unit, rounded to its precision: `20–40 seconds`, `2–4 minutes`. */
  formatTimeRange(low: number, high: number): string {
    const [unit, size, step] = high < 90 ? (['second', 1, 10] as const) : (['minute', 60, 1] as const);
    const from = Math.max(step, Math.round(low / size / step) * step);
    const to = Math.max(from, Math.round(high / size / step) * step);
    const format = new Intl.NumberFormat(this.#tag, { style: 'unit', unit, unitDisplay: 'long' });
    return from === to ? format.format(to) : format.formatRange(from, to);
  }
}
