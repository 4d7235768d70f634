// Native modal dialogs: the platform keeps the focus inside and makes the page behind inert. Escape presses their
// back button.
import { focusPrimaryActionOrFirst } from './spatial-focus';

/**
 * Opens a `<dialog>` as a modal for as long as it is on the page. The focus goes to its primary action, and afterwards
 * back to the element that had it, unless it has been moved to another element since the dialog was closed.
 */
export function showModalAndReturnFocus(dialog: HTMLDialogElement): () => void {
  const opener = document.activeElement;
  dialog.showModal();
  focusPrimaryActionOrFirst(dialog);
  return () => {
    // The dialog has left the page already, and the top layer with it. The platform returns the focus when Escape
    // closes a dialog, some time before the page removes it.
    if (document.activeElement !== document.body) return;
    if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true });
  };
}

/** The topmost open dialog within an element, or the element itself when none is open. */
export function topmostDialogOrRoot(root: HTMLElement): HTMLElement {
  return [...root.querySelectorAll<HTMLElement>('dialog[open]')].at(-1) ?? root;
}
