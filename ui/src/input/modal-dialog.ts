// Native modal dialogs: the platform keeps the focus inside, makes the page behind inert, and closes them with Escape.
import { focusPrimaryActionOrFirst } from './spatial-focus';

/**
 * Opens a `<dialog>` as a modal for as long as it is on the page. The focus goes to its primary action, and afterwards
 * back to the element that had it.
 */
export function showAsModal(dialog: HTMLDialogElement): () => void {
  const opener = document.activeElement;
  dialog.showModal();
  focusPrimaryActionOrFirst(dialog);
  return () => {
    // The dialog has left the page already, and the top layer with it.
    if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true });
  };
}

/** The topmost open dialog within an element, or the element itself when none is open. */
export function topmostDialogOrRoot(root: HTMLElement): HTMLElement {
  return [...root.querySelectorAll<HTMLElement>('dialog[open]')].at(-1) ?? root;
}
