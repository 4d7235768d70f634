// Opens an avatar's file without blocking the screen.
import { assembleAvatarFile, type GltfDocumentWithBytes } from './avatar-file';
import type { UnpackResponse } from './avatar-file.worker';
import { glbJsonLength, isGlb, parseGlb } from './glb-file';

/** JSON of at most so many bytes is parsed on the main thread: it takes a few milliseconds. */
const MAX_JSON_BYTES_HERE = 1_000_000;

/**
 * Opens a GLB, a glTF document, or a zip archive with one of them. The bytes may be moved to another thread. Rejects
 * with the reason when they are none.
 */
export async function openAvatarFile(
  bytes: ArrayBuffer,
  signal: AbortSignal,
): Promise<GltfDocumentWithBytes> {
  if (isGlb(bytes) && glbJsonLength(bytes) <= MAX_JSON_BYTES_HERE) {
    const { gltf, binary } = parseGlb(bytes);
    return assembleAvatarFile(gltf, binary);
  }
  let worker: Worker;
  try {
    worker = new Worker(new URL('./avatar-file.worker.ts', import.meta.url), { type: 'module' });
  } catch {
    return unpackOnThisThread(bytes);
  }
  try {
    return await unpackInWorkerOrOnThisThread(worker, bytes, signal);
  } finally {
    worker.terminate();
  }
}

/** Unpacks the file in a worker, or on this thread if the worker does not start. */
function unpackInWorkerOrOnThisThread(
  worker: Worker,
  bytes: ArrayBuffer,
  signal: AbortSignal,
): Promise<GltfDocumentWithBytes> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    worker.onmessage = ({ data }: MessageEvent<UnpackResponse>) => {
      if ('file' in data) resolve(data.file);
      else reject(new Error(data.problem));
    };
    // Copied, not moved: they are still needed if the worker does not start.
    worker.onerror = () => unpackOnThisThread(bytes).then(resolve, reject);
    worker.postMessage(bytes);
  });
}

/** Unpacks the file on this thread, which it may block. */
async function unpackOnThisThread(bytes: ArrayBuffer): Promise<GltfDocumentWithBytes> {
  const { unpackAvatar } = await import('./unpack-avatar');
  return unpackAvatar(bytes);
}
