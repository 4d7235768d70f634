// How everything stands that a booth depends on: pure.
import type { HealthStand, HealthView } from '../generated/view';

const HEALTH_ORDER: readonly HealthStand[] = ['bad', 'doubtful', 'good', 'unknown'];

/** What does not work before what works; otherwise in the program's order. */
export function sortWorstFirst(parts: readonly HealthView[]): HealthView[] {
  // Sorting keeps the order of what is alike.
  return [...parts].sort((a, b) => HEALTH_ORDER.indexOf(a.stand) - HEALTH_ORDER.indexOf(b.stand));
}

/** How many parts stand so. */
export function countPartsWith(parts: readonly HealthView[] | null, stand: HealthStand): number {
  return parts?.filter((part) => part.stand === stand).length ?? 0;
}
