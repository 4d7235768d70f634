// Keyboard and gamepad need a focused element at all times.
import { topLayerOf } from './modal-dialog';
import { recoverFocus } from './spatial-focus';

/**
 * An attachment that moves the focus to the primary action when it is lost: when the focused element is removed or
 * disabled, or after a click beside every control. WebKit reports the removal by no event, hence the observer.
 */
export function recoverLostFocus(isPaused: () => boolean = () => false): (root: HTMLElement) => () => void {
  return (root) => {
    const recover = () => {
      if (!isPaused()) recoverFocus(topLayerOf(root));
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
    root.addEventListener('focusout', onfocusout);
    return () => {
      observer.disconnect();
      root.removeEventListener('focusout', onfocusout);
    };
  };
}
