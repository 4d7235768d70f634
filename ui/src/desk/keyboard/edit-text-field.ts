// Edits a text field as typing does: at its cursor, with the event that its owner listens to.

/** A field that takes text. */
export type TextField = HTMLInputElement | HTMLTextAreaElement;

const TEXT_FIELD_SELECTOR =
  'textarea:not([readonly], :disabled), input:not([type=checkbox], [type=file], [type=radio], [readonly], :disabled)';

/** The element as a text field; null if it takes no text. */
export function elementAsTextField(element: EventTarget | null): TextField | null {
  const isField = element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement;
  return isField && element.matches(TEXT_FIELD_SELECTOR) ? element : null;
}

/** Inserts a text in place of the selection. */
export function insertText(field: TextField, text: string): void {
  const [start, end] = selectedRangeOfField(field);
  replaceTextAndDispatchInput(field, text, start, end, 'insertText');
}

/** Deletes the selection, or the character before the cursor: also one that consists of two code units. */
export function deleteBackward(field: TextField): void {
  const [start, end] = selectedRangeOfField(field);
  const length = Array.from(field.value.slice(0, start)).at(-1)?.length ?? 0;
  const from = start === end ? start - length : start;
  if (from < end) replaceTextAndDispatchInput(field, '', from, end, 'deleteContentBackward');
}

/** The selected range of a field; the end of its text if it reports none. */
function selectedRangeOfField(field: TextField): [number, number] {
  const end = field.value.length;
  return [field.selectionStart ?? end, field.selectionEnd ?? end];
}

/** Replaces a range of the text, puts the cursor behind the new text, and dispatches an `input` event. */
function replaceTextAndDispatchInput(
  field: TextField,
  text: string,
  start: number,
  end: number,
  inputType: string,
): void {
  field.setRangeText(text, start, end);
  field.setSelectionRange(start + text.length, start + text.length);
  field.dispatchEvent(new InputEvent('input', { bubbles: true, inputType, data: text || null }));
}
