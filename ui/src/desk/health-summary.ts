// Sorting and counting of the health check's parts.
import type { PartHealthState, PartHealthView } from '../generated/view';

const HEALTH_ORDER: readonly PartHealthState[] = ['bad', 'doubtful', 'good', 'unknown'];

/** Problems first; otherwise in the program's order. */
export function sortWorstHealthFirst(parts: readonly PartHealthView[]): PartHealthView[] {
  // `sort` is stable.
  return [...parts].sort((a, b) => HEALTH_ORDER.indexOf(a.stand) - HEALTH_ORDER.indexOf(b.stand));
}

/** The number of parts in a state. */
export function countPartsInState(parts: readonly PartHealthView[] | null, stand: PartHealthState): number {
  return parts?.filter((part) => part.stand === stand).length ?? 0;
}
