// Arithmetic behind progress rings, bars and clocks. Formatting is in `language/number-format.ts`.
import type { FileDownloadView } from './generated/view';

/** A fraction from 0 to 1; null when nothing is known to compute it from. */
export type ProgressShare = number | null;

/**
 * All files together: bytes received, bytes in total, and the fraction. A file of unknown size makes total and
 * fraction unknown.
 */
export function sumDownloadedBytesAndShare(files: readonly FileDownloadView[]): {
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
  return { bytes, total, share: total === null ? null : total === 0 ? 0 : clampToZeroToOne(bytes / total) };
}

/** The part of the whole progress that making the avatar takes; its files are the rest. */
const MAKING_SHARE = 0.9;

/** The progress of the whole, while the service reports `percent` of the avatar. */
export function overallProgressWhileMaking(percent: number): number {
  return MAKING_SHARE * clampToZeroToOne(percent / 100);
}

/** The progress of the whole, while the files arrive. Of files of unknown size only the beginning is known. */
export function overallProgressWhileSaving(files: readonly FileDownloadView[]): number {
  return MAKING_SHARE + (1 - MAKING_SHARE) * (sumDownloadedBytesAndShare(files).share ?? 0);
}

/** The `pathLength` of every ring. A whole number, so that dots divide it without a rest. */
export const RING_LENGTH = 300;

/** The `stroke-dashoffset` with which a ring shows `share` of its outline. */
export function ringDashOffset(share: number): number {
  return RING_LENGTH * (1 - clampToZeroToOne(share));
}

/** Whole seconds until an RFC 3339 instant, at least 0; null when it is absent or cannot be parsed. */
export function secondsUntil(until: string | null, now: number): number | null {
  if (until === null) return null;
  const at = Date.parse(until);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - now) / 1000));
}

/** Limits a share to 0 to 1. */
function clampToZeroToOne(value: number): number {
  return Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0;
}
