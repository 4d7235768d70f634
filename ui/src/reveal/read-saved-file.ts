// Reads a large saved file without blocking the screen.
import { FrameYieldTimer } from './next-frame';

/** The largest file that is read, in bytes: a larger one would use up the page's memory. */
export const MAX_READ_BYTES = 200_000_000;
/** Response header with the size of the whole file in bytes; see `avatar_protocol.rs`. */
const FILE_SIZE_HEADER = 'x-file-size';

/**
 * All bytes of a saved file. They are requested in pieces, so that the program does not read the whole file into
 * memory, and each piece is read between frames: WebKit's `arrayBuffer()` of 60 MB blocked the window for seconds.
 *
 * Rejects if the file is not served, is larger than `MAX_READ_BYTES`, or changes in the meantime.
 */
export async function readSavedFile(url: string, signal: AbortSignal): Promise<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer> | null = null;
  let length = 0;
  const frameBudget = new FrameYieldTimer();
  for (;;) {
    const response = await fetch(`${url}?from=${length}`, { signal });
    if (!response.ok || !response.body)
      throw new Error(`the avatar’s file was not served: ${response.status}`);
    const size = Number(response.headers.get(FILE_SIZE_HEADER));
    if (size > MAX_READ_BYTES) throw new Error(`the avatar’s file is too large to be shown: ${size} bytes`);
    bytes ??= new Uint8Array(size);
    const before = length;
    for await (const chunk of readChunks(response.body)) {
      signal.throwIfAborted();
      if (size !== bytes.length || length + chunk.length > size)
        throw new Error('the avatar’s file has changed');
      bytes.set(chunk, length);
      length += chunk.length;
      await frameBudget.waitIfUsedUp();
    }
    signal.throwIfAborted();
    if (length === bytes.length) return bytes.buffer;
    if (length === before) throw new Error('the avatar’s file has become shorter');
  }
}

/** The chunks of a body. WebKit's `ReadableStream` cannot be iterated. */
async function* readChunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
