// Takes in a large answer without holding the screen.
import { nextFrame } from './next-frame';

/** So many milliseconds at a time are taken from the screen. */
const SLICE_MS = 8;
const INITIAL_CAPACITY = 1 << 20;

/**
 * All bytes of an answer. `arrayBuffer()` does the same, but WebKit then takes everything in at once: a file of sixty
 * megabytes held the window for seconds.
 */
export async function readBody(response: Response, signal: AbortSignal): Promise<ArrayBuffer> {
  if (!response.body) return response.arrayBuffer();
  const reader = response.body.getReader();
  // What was promised, if anything was: room is made anew where it is not enough.
  let bytes = new Uint8Array(Number(response.headers.get('content-length')) || INITIAL_CAPACITY);
  let length = 0;
  let turn = performance.now();
  for (;;) {
    const { done, value } = await reader.read();
    signal.throwIfAborted();
    if (done) break;
    if (length + value.length > bytes.length) bytes = growBuffer(bytes, length + value.length);
    bytes.set(value, length);
    length += value.length;
    if (performance.now() - turn < SLICE_MS) continue;
    await nextFrame();
    turn = performance.now();
  }
  return length === bytes.length ? bytes.buffer : bytes.buffer.slice(0, length);
}

function growBuffer(bytes: Uint8Array<ArrayBuffer>, least: number): Uint8Array<ArrayBuffer> {
  const room = new Uint8Array(Math.max(least, bytes.length * 2));
  room.set(bytes);
  return room;
}
