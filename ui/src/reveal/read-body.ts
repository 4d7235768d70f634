// Reads a large response without blocking the screen.
import { waitForNextFrame } from './next-frame';

/** Milliseconds of reading between two frames. */
const SLICE_MS = 8;
const INITIAL_CAPACITY = 1 << 20;

/**
 * All bytes of a response. WebKit's `arrayBuffer()` reads everything in one go: 60 MB blocked the window for seconds.
 */
export async function readBodyInSlices(response: Response, signal: AbortSignal): Promise<ArrayBuffer> {
  if (!response.body) return response.arrayBuffer();
  const reader = response.body.getReader();
  // Starts with the announced length, if any, and grows when that is too small.
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
    await waitForNextFrame();
    turn = performance.now();
  }
  return length === bytes.length ? bytes.buffer : bytes.buffer.slice(0, length);
}

/** A buffer of at least `least` bytes, and at least twice as large, that starts with the given bytes. */
function growBuffer(bytes: Uint8Array<ArrayBuffer>, least: number): Uint8Array<ArrayBuffer> {
  const room = new Uint8Array(Math.max(least, bytes.length * 2));
  room.set(bytes);
  return room;
}
