// The page's only renderer. A new one per visit would accumulate: a browser frees a WebGL context only at garbage
// collection, which may come after a dozen visits (about 30 MB each in WebKitGTK).
import { WebGLRenderer } from 'three';

let idleRenderer: WebGLRenderer | null = null;

/**
 * An empty renderer on a canvas that is not on the page. Antialiasing is off when the machine renders in software
 * (`spare`), unless the avatar does not move (`still`). Throws without WebGL.
 */
export function takeIdleOrCreateRenderer(spare: boolean, still: boolean): WebGLRenderer {
  const renderer = idleRenderer ?? createRenderer(spare, still);
  idleRenderer = null;
  if (!renderer.getContext().isContextLost()) return renderer;
  // Lost in between, by a driver update or a suspended machine.
  renderer.dispose();
  return createRenderer(spare, still);
}

/**
 * Creates a WebGL renderer. Antialiasing nearly doubles the work of a software renderer; a still picture is worth
 * it.
 */
function createRenderer(spare: boolean, still: boolean): WebGLRenderer {
  let context = createWebGlContext(still || !spare);
  if (!still && isAntialiasedSoftwareContext(context)) {
    context.getExtension('WEBGL_lose_context')?.loseContext();
    context = createWebGlContext(false);
  }
  return new WebGLRenderer({ canvas: context.canvas, context });
}

/** A WebGL 2 context on a new canvas. Throws when there is none. */
function createWebGlContext(antialias: boolean): WebGL2RenderingContext {
  // Tests keep the drawing, so that a screenshot contains the avatar. It costs a copy of every frame.
  const attributes: WebGLContextAttributes = {
    antialias,
    preserveDrawingBuffer: navigator.webdriver === true,
  };
  const context = document.createElement('canvas').getContext('webgl2', attributes);
  if (!context) throw new Error('there is no WebGL');
  return context;
}

/**
 * Whether an antialiased context is rendered without a graphics card, by the renderer's name. Always false without
 * antialiasing, and in WebKit, which does not report the name.
 */
function isAntialiasedSoftwareContext(context: WebGL2RenderingContext): boolean {
  const { UNMASKED_RENDERER_WEBGL: name } = context.getExtension('WEBGL_debug_renderer_info') ?? {};
  return (
    name !== undefined &&
    context.getContextAttributes()?.antialias === true &&
    /swiftshader|llvmpipe|softpipe|basic render/i.test(String(context.getParameter(name)))
  );
}

/**
 * Removes the canvas from the page and clears it. The renderer is kept for the next visit, unless its context is lost
 * or another one is kept.
 */
export function releaseRendererForReuse(renderer: WebGLRenderer): void {
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
