import { fireEvent } from '@testing-library/svelte';
import { createProblem } from './desk-fixtures';
import { byTestId } from './render-desk';

/** The problem of an action that the disk refuses. */
export const diskFullProblem = createProblem('storage_failed', 'The disk is full', 'Free some space');

/** The result of the last change of a field, as shown beside it. */
export const resultText = (field: string) => byTestId(`told-${field}`).textContent?.trim();

/** Replaces the text of a field. */
export async function write(id: string, value: string): Promise<void> {
  await fireEvent.input(byTestId(id), { target: { value } });
}

/** The text of a field. */
export const value = (id: string) => (byTestId(id) as HTMLTextAreaElement).value;

/** Submits the form of a field. */
export const submit = (id: string) => fireEvent.submit(byTestId(id).closest('form') as HTMLFormElement);
