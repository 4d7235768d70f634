// The page's one renderer. Every visit of its own would pile up: a browser gives a context's memory back only when its
// collector comes by, which may be after a dozen visits (WebKitGTK: about thirty megabytes each).
import { WebGLRenderer } from 'three';

let idleRenderer: WebGLRenderer | null = null;

/**
 * A renderer, empty, on a canvas of its own that is nowhere yet; made for a machine that is known to draw in software
 * (`spare`), or for figures that stand still. Throws where there is no WebGL.
 */
export function acquireRenderer(spare: boolean, still: boolean): WebGLRenderer {
  const renderer = idleRenderer ?? createRenderer(spare, still);
  idleRenderer = null;
  if (!renderer.getContext().isContextLost()) return renderer;
  // Lost while nobody looked: with a driver that was changed, or a machine that slept.
  renderer.dispose();
  return createRenderer(spare, still);
}

/** Smooth edges nearly double the work of a card that the processor plays; what does not move is worth it. */
function createRenderer(spare: boolean, still: boolean): WebGLRenderer {
  let context = createWebGlContext(still || !spare);
  if (!still && isSoftwareRenderer(context)) {
    context.getExtension('WEBGL_lose_context')?.loseContext();
    context = createWebGlContext(false);
  }
  return new WebGLRenderer({ canvas: context.canvas, context });
}

function createWebGlContext(antialias: boolean): WebGL2RenderingContext {
  // The drawing is kept, so that a screenshot of the window holds the avatar.
  const attributes: WebGLContextAttributes = { antialias, preserveDrawingBuffer: true };
  const context = document.createElement('canvas').getContext('webgl2', attributes);
  if (!context) throw new Error('there is no WebGL');
  return context;
}

/** By the card's name, where it is told: WebKit tells none. */
function isSoftwareRenderer(context: WebGL2RenderingContext): boolean {
  const { UNMASKED_RENDERER_WEBGL: name } = context.getExtension('WEBGL_debug_renderer_info') ?? {};
  return (
    name !== undefined &&
    context.getContextAttributes()?.antialias === true &&
    /swiftshader|llvmpipe|softpipe|basic render/i.test(String(context.getParameter(name)))
  );
}

/**
 * Takes its canvas off the page and the face off its canvas. It is kept for the next visit, unless the graphics card
 * took it away or one is kept already.
 */
export function releaseRenderer(renderer: WebGLRenderer): void {
  const canvas = renderer.domElement;
  canvas.remove();
  renderer.setAnimationLoop(null);
  if (idleRenderer !== null || renderer.getContext().isContextLost()) {
    renderer.dispose();
    renderer.forceContextLoss();
    return;
  }
  renderer.setRenderTarget(null);
  renderer.renderLists.dispose();
  renderer.setPixelRatio(1);
  renderer.setSize(1, 1, false);
  renderer.clear();
  idleRenderer = renderer;
}
