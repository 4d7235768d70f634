// What belongs to a control besides its name, for whoever hears the page: what it is about, and why it was refused.
import type { DeskStore } from '../../state/desk-store.svelte';

/** The ids of what is said about a field: in its row (`about`), and in place of what it asked for. */
export function fieldDescriptionIds(bench: DeskStore, field: string, about = false): string | undefined {
  const ids = [about ? `about-${field}` : '', bench.lastRefusal?.field === field ? `refused-${field}` : ''];
  return ids.filter((id) => id !== '').join(' ') || undefined;
}

/** The same for what one types into: it was wrong, too. */
export function fieldAriaAttributes(
  bench: DeskStore,
  field: string,
  about = false,
): { 'aria-describedby': string | undefined; 'aria-invalid': true | undefined } {
  return {
    'aria-describedby': fieldDescriptionIds(bench, field, about),
    'aria-invalid': bench.lastRefusal?.field === field || undefined,
  };
}
