// The page's one renderer. Every visit of its own would pile up: a browser gives a context's memory back only when its
// collector comes by, which may be after a dozen visits (WebKitGTK: about thirty megabytes each).
import { WebGLRenderer } from 'three';

let kept: WebGLRenderer | null = null;

/** A renderer, empty, on a canvas of its own that is nowhere yet. Throws where there is no WebGL. */
export function takeRenderer(): WebGLRenderer {
  const renderer =
    kept ??
    // The drawing is kept, so that a screenshot of the window holds the avatar.
    new WebGLRenderer({ alpha: true, antialias: true, preserveDrawingBuffer: true });
  kept = null;
  return renderer;
}

/**
 * Takes its canvas off the page and the face off its canvas. It is kept for the next visit, unless the graphics card
 * took it away or one is kept already.
 */
export function giveBack(renderer: WebGLRenderer): void {
  const canvas = renderer.domElement;
  canvas.remove();
  renderer.setAnimationLoop(null);
  if (kept !== null || renderer.getContext().isContextLost()) {
    renderer.dispose();
    renderer.forceContextLoss();
    return;
  }
  renderer.setRenderTarget(null);
  renderer.renderLists.dispose();
  renderer.setPixelRatio(1);
  renderer.setSize(1, 1, false);
  renderer.clear();
  kept = renderer;
}
