// Uploads an avatar to the graphics card in steps, so that the screen keeps moving.
import {
  type Camera,
  type Material,
  type Mesh,
  type Object3D,
  type Scene,
  Texture,
  type WebGLRenderer,
} from 'three';
import { rejectOnAbort } from './abort';
import { closeBitmap } from './dispose-model';
import { waitForNextFrame } from './next-frame';
import { checkTextureLimits } from './texture-limits';

/**
 * Compiles the shaders and uploads one texture at a time. Each step waits for the card to finish the one before:
 * otherwise a software renderer would do all of them at once and block the screen.
 */
export async function compileShadersAndUploadTextures(
  renderer: WebGLRenderer,
  scene: Scene,
  camera: Camera,
  signal: AbortSignal,
): Promise<void> {
  const textures = collectTextures(scene);
  checkTextureLimits(textures);
  // A lost context never becomes ready.
  await rejectOnAbort(renderer.compileAsync(scene, camera), signal);
  await waitForGpuCommands(renderer, signal);
  for (const texture of textures) {
    renderer.initTexture(texture);
    await waitForGpuCommands(renderer, signal);
  }
  // The card has its copies: 16 MB each. Closed at the end, because some are shared.
  for (const { image } of textures) closeBitmap(image);
}

/** Waits until the card has carried out all commands. Frames are drawn meanwhile. */
export async function waitForGpuCommands(renderer: WebGLRenderer, signal: AbortSignal): Promise<void> {
  const gl = renderer.getContext() as WebGL2RenderingContext;
  const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
  gl.flush();
  do {
    await waitForNextFrame();
    signal.throwIfAborted();
    // Without a fence (the context is going away) there is nothing to wait for.
  } while (fence && gl.getSyncParameter(fence, gl.SYNC_STATUS) === gl.UNSIGNALED);
  if (fence) gl.deleteSync(fence);
}

/** Every texture of the objects below `root`, once. */
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
