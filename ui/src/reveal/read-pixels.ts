// Reads what has been drawn, without waiting for the graphics card.
import type { WebGLRenderer } from 'three';
import { waitForGpuCommands } from './upload-to-gpu';

/**
 * The pixels (RGBA of 8 bits, rows from the bottom) of what was drawn on the canvas in this task. The call copies them
 * on the card; reading them at once would block until everything is drawn. Rejects when the signal aborts.
 */
export async function readDrawnPixels(
  renderer: WebGLRenderer,
  width: number,
  height: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const gl = renderer.getContext() as WebGL2RenderingContext;
  const pixels = new Uint8Array(width * height * 4);
  const buffer = gl.createBuffer();
  try {
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, buffer);
    gl.bufferData(gl.PIXEL_PACK_BUFFER, pixels.byteLength, gl.STREAM_READ);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, 0);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
    await waitForGpuCommands(renderer, signal);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, buffer);
    gl.getBufferSubData(gl.PIXEL_PACK_BUFFER, 0, pixels);
  } finally {
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
    gl.deleteBuffer(buffer);
  }
  return pixels;
}
