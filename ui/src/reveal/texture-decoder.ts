// Decodes textures in a worker: WebKit would decode them on the main thread, 125 ms each. Written against the loader
// interface that `GLTFLoader` of three 0.187.0 uses for images; `load-avatar.test.ts` is the contract test.
import { BitmapBudget } from './bitmap-budget';
import { type DecodeRequest, type DecodeResponse, decodeScaledBitmap } from './decode-bitmap';

/** Why an image is not decoded after `close`. */
const ENDED = 'the loading of the avatar has ended';

/** A request that the worker has not answered. */
interface PendingDecode {
  bytes: Uint8Array<ArrayBuffer>;
  done(bitmap: ImageBitmap): void;
  failed(error: unknown): void;
}

/**
 * Replaces the image loader of three.js' `GLTFLoader` for one avatar: decodes images in a worker, or on the main thread
 * without one. The caller closes it.
 */
export class GltfImageLoader {
  readonly isImageBitmapLoader = true;
  readonly #pending = new Map<number, PendingDecode>();
  readonly #budget = new BitmapBudget();
  readonly #bytesOf: (name: string) => Uint8Array<ArrayBuffer>;
  #worker: Worker | null;
  #isClosed = false;
  #nextId = 0;

  /** `bytesOf` finds the bytes of an image by the name that the document gives it, and throws when there are none. */
  constructor(bytesOf: (name: string) => Uint8Array<ArrayBuffer>, start: () => Worker = createDecodeWorker) {
    this.#bytesOf = bytesOf;
    this.#worker = tryStartDecodeWorker(start);
    if (!this.#worker) return;
    this.#worker.onmessage = ({ data }: MessageEvent<DecodeResponse>) => {
      const waiting = this.#pending.get(data.id);
      this.#pending.delete(data.id);
      if ('bitmap' in data) {
        if (waiting) waiting.done(data.bitmap);
        else data.bitmap.close();
      } else waiting?.failed(new Error(data.problem));
    };
    // Without workers the images are decoded on the main thread.
    this.#worker.onerror = () => {
      this.#endWorker();
      const left = [...this.#pending.values()];
      this.#pending.clear();
      for (const one of left) decodeScaledBitmap(one.bytes, this.#budget).then(one.done, one.failed);
    };
  }

  /** Decodes the image of this name. Fails after `close`. */
  load(name: string, done: PendingDecode['done'], _: unknown, failed: PendingDecode['failed']): void {
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      if (this.#isClosed) throw new Error(ENDED);
      bytes = this.#bytesOf(name);
    } catch (error) {
      failed(error);
      return;
    }
    if (!this.#worker) {
      decodeScaledBitmap(bytes, this.#budget).then(done, failed);
      return;
    }
    const id = this.#nextId++;
    this.#pending.set(id, { bytes, done, failed });
    // A copy of the image alone: the whole file would be copied with a part of it.
    const copy = bytes.slice();
    this.#worker.postMessage({ id, bytes: copy } satisfies DecodeRequest, [copy.buffer]);
  }

  /** Ends the worker. What is not decoded fails, so that three.js ends, too. */
  close(): void {
    this.#isClosed = true;
    this.#endWorker();
    for (const { failed } of this.#pending.values()) failed(new Error(ENDED));
    this.#pending.clear();
  }

  #endWorker(): void {
    this.#worker?.terminate();
    this.#worker = null;
  }
}

/** Starts the decode worker; null when the view refuses a worker at once. Other views report an error later. */
function tryStartDecodeWorker(start: () => Worker): Worker | null {
  try {
    return start();
  } catch (error) {
    console.warn('pictures are decoded without a worker:', error);
    return null;
  }
}

/** Starts the worker that decodes images. */
function createDecodeWorker(): Worker {
  return new Worker(new URL('./texture-decoder.worker.ts', import.meta.url), { type: 'module' });
}
