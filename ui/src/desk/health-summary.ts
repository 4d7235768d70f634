// How everything stands that a booth depends on: pure.
import type { HealthStand, HealthView } from '../generated/view';

const URGENCY: readonly HealthStand[] = ['bad', 'doubtful', 'good', 'unknown'];

/** What does not work before what works; otherwise in the program's order. */
export function worstFirst(parts: readonly HealthView[]): HealthView[] {
  // Sorting keeps the order of what is alike.
  return [...parts].sort((a, b) => URGENCY.indexOf(a.stand) - URGENCY.indexOf(b.stand));
}

/** How many parts stand so. */
export function countOf(parts: readonly HealthView[] | null, stand: HealthStand): number {
  return parts?.filter((part) => part.stand === stand).length ?? 0;
}
