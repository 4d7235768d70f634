// What belongs to a control besides its name, for whoever hears the page: what it is about, and why it was refused.
import type { Bench } from '../../state/desk-store.svelte';

/** The ids of what is said about a field: in its row (`about`), and in place of what it asked for. */
export function description(bench: Bench, field: string, about = false): string | undefined {
  const ids = [about ? `about-${field}` : '', bench.refused?.field === field ? `refused-${field}` : ''];
  return ids.filter((id) => id !== '').join(' ') || undefined;
}

/** The same for what one types into: it was wrong, too. */
export function described(
  bench: Bench,
  field: string,
  about = false,
): { 'aria-describedby': string | undefined; 'aria-invalid': true | undefined } {
  return {
    'aria-describedby': description(bench, field, about),
    'aria-invalid': bench.refused?.field === field || undefined,
  };
}
