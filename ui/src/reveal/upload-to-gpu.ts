// Hands an avatar to the graphics card piece by piece, so that the screen goes on moving meanwhile.
import {
  type Camera,
  type Material,
  type Mesh,
  type Object3D,
  type Scene,
  Texture,
  type WebGLRenderer,
} from 'three';
import { closeBitmap } from './dispose-model';
import { nextFrame } from './next-frame';

/**
 * Compiles, and uploads one texture at a time. Each step waits until the card is done with
 * the one before: a card takes orders quickly and carries them out slowly, and one that is simulated by the processor
 * would pay for all of them at once, with the screen standing still.
 */
export async function uploadToGpu(
  renderer: WebGLRenderer,
  scene: Scene,
  camera: Camera,
  signal: AbortSignal,
): Promise<void> {
  const textures = collectTextures(scene);
  // A card that is lost meanwhile would never be ready.
  await Promise.race([renderer.compileAsync(scene, camera), rejectOnAbort(signal)]);
  await waitForGpu(renderer, signal);
  for (const texture of textures) {
    renderer.initTexture(texture);
    await waitForGpu(renderer, signal);
  }
  // The card has them: sixteen megabytes each. Some are shared, so only when all are there.
  for (const { image } of textures) closeBitmap(image);
}

/** Until the card has done all that it was asked for. The screen has its turns meanwhile. */
export async function waitForGpu(renderer: WebGLRenderer, signal: AbortSignal): Promise<void> {
  const gl = renderer.getContext() as WebGL2RenderingContext;
  const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
  gl.flush();
  do {
    await nextFrame();
    signal.throwIfAborted();
    // Without a fence (a card that is going) there is nothing to wait for.
  } while (fence && gl.getSyncParameter(fence, gl.SYNC_STATUS) === gl.UNSIGNALED);
  if (fence) gl.deleteSync(fence);
}

/** Every texture of the figures below, once. */
export function collectTextures(root: Object3D): Set<Texture> {
  const textures = new Set<Texture>();
  root.traverse((object) => {
    const { material } = object as Partial<Mesh>;
    const materials: Material[] = Array.isArray(material) ? material : material ? [material] : [];
    for (const one of materials)
      for (const value of Object.values(one)) if (value instanceof Texture) textures.add(value);
  });
  return textures;
}

/** Fails when the signal says so. */
function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
