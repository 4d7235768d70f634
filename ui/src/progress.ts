// The arithmetic behind rings, bars and clocks: pure. (How amounts are written is a language's: `language/amounts.ts`.)
import type { FileView } from './generated/view';

/** A share from 0 to 1, or none where there is no honest basis for one. */
export type ProgressShare = number | null;

/** What a bar for one file shows. */
export function fileShare(file: FileView): ProgressShare {
  if (file.whole) return 1;
  if (file.total === null) return null;
  if (file.total <= 0) return 0;
  return clampShare(file.bytes / file.total);
}

/** All files as one: bytes that came, bytes in all, and their share. A file of unknown size leaves the share open. */
export function totalProgress(files: readonly FileView[]): {
  bytes: number;
  total: number | null;
  share: ProgressShare;
} {
  let bytes = 0;
  let total: number | null = 0;
  for (const file of files) {
    bytes += file.bytes;
    const size = file.whole ? file.bytes : file.total;
    total = total === null || size === null ? null : total + Math.max(size, file.bytes);
  }
  if (files.length === 0) return { bytes, total: null, share: null };
  if (files.every((file) => file.whole)) return { bytes, total: bytes, share: 1 };
  return { bytes, total, share: total === null ? null : total === 0 ? 0 : clampShare(bytes / total) };
}

/** How much of a circle's outline is left out so that `share` of it is drawn. */
export function ringDashOffset(share: number, radius: number): number {
  return 2 * Math.PI * radius * (1 - clampShare(share));
}

/** Whole seconds until an instant (RFC 3339), never below zero; none when it is not known or cannot be read. */
export function secondsUntil(until: string | null, now: number): number | null {
  if (until === null) return null;
  const at = Date.parse(until);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - now) / 1000));
}

function clampShare(value: number): number {
  return Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0;
}
