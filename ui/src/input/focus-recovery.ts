// Keyboard and gamepad need a focused element at all times.
import { topmostDialogOrRoot } from './modal-dialog';
import { focusableElements, focusPrimaryActionIfFocusLost } from './spatial-focus';

/** Options of `createFocusRecoveryAttachment`: when it pauses, and whether Tab wraps. */
export interface FocusRecoveryOptions {
  /** Whether another layer has the focus. */
  isPaused?: () => boolean;
  /**
   * Whether Tab on the last control goes to the first one, and back with Shift. The platform goes to the browser's own
   * controls instead, also from a modal dialog, and the kiosk's window has none.
   */
  wrapsTab?: boolean;
}

/**
 * An attachment that moves the focus to the primary action when it is lost: when the focused element is removed or
 * disabled, or after a click beside every control. WebKit reports the removal by no event, hence the observer.
 */
export function createFocusRecoveryAttachment({
  isPaused = () => false,
  wrapsTab = false,
}: FocusRecoveryOptions = {}): (root: HTMLElement) => () => void {
  return (root) => {
    const recover = () => {
      if (!isPaused()) focusPrimaryActionIfFocusLost(topmostDialogOrRoot(root));
    };
    const onkeydown = (event: KeyboardEvent) => {
      if (event.key !== 'Tab' || event.defaultPrevented) return;
      const controls = focusableElements(topmostDialogOrRoot(root)).filter(({ tabIndex }) => tabIndex >= 0);
      const [from, to] = event.shiftKey ? [controls[0], controls.at(-1)] : [controls.at(-1), controls[0]];
      if (document.activeElement !== from) return;
      event.preventDefault();
      to?.focus();
    };
    const onfocusout = (event: FocusEvent) => {
      // With a related target the focus is only on its way to another element.
      if (event.relatedTarget !== null) return;
      queueMicrotask(() => {
        if (root.isConnected && document.hasFocus()) recover();
      });
    };
    const observer = new MutationObserver(recover);
    observer.observe(root, {
      childList: true,
      subtree: true,
      attributeFilter: ['inert', 'hidden', 'disabled'],
    });
    if (wrapsTab) root.addEventListener('keydown', onkeydown);
    root.addEventListener('focusout', onfocusout);
    return () => {
      observer.disconnect();
      root.removeEventListener('keydown', onkeydown);
      root.removeEventListener('focusout', onfocusout);
    };
  };
}
