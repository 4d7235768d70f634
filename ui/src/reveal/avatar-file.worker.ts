// Opens an avatar's file off the main thread.
import type { GltfDocumentWithBytes } from './avatar-file';
import { unpackAvatar } from './unpack-avatar';

/** The worker's response. */
export type UnpackResponse = { file: GltfDocumentWithBytes } | { problem: string };

addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) => {
  let answer: UnpackResponse;
  const moved = new Set<ArrayBuffer>();
  try {
    const file = unpackAvatar(data);
    for (const bytes of [...file.buffers, ...file.images.values()]) if (bytes) moved.add(bytes.buffer);
    answer = { file };
  } catch (error) {
    answer = { problem: error instanceof Error ? error.message : String(error) };
  }
  postMessage(answer, { transfer: [...moved] });
});
