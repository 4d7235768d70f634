// ARIA attributes that connect a control with its description and its error.
import type { DeskStore } from '../../state/desk-store.svelte';

/** The ids of the elements that describe a field: the text of its row (`about`) and the refusal. */
export function fieldDescriptionIds(deskStore: DeskStore, field: string, about = false): string | undefined {
  const ids = [
    about ? `about-${field}` : '',
    deskStore.lastRefusal?.field === field ? `refused-${field}` : '',
  ];
  return ids.filter((id) => id !== '').join(' ') || undefined;
}

/** The ARIA attributes of an input: the ids of its description, and whether its value was refused. */
export function fieldAriaAttributes(
  deskStore: DeskStore,
  field: string,
  about = false,
): { 'aria-describedby': string | undefined; 'aria-invalid': true | undefined } {
  return {
    'aria-describedby': fieldDescriptionIds(deskStore, field, about),
    'aria-invalid': deskStore.lastRefusal?.field === field || undefined,
  };
}
