// Decodes textures in a worker: WebKit would decode them on the main thread, 125 ms each. Written against the loader
// interface that `GLTFLoader` of three 0.187.0 uses for images; `load-avatar.test.ts` is the contract test.
import { BitmapBudget } from './bitmap-budget';
import { type DecodeRequest, type DecodeResponse, fetchAndDecodeScaledBitmap } from './decode-bitmap';

/** A request that the worker has not answered. */
interface PendingDecode {
  url: string;
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
  #worker: Worker | null;
  #nextId = 0;

  constructor(start: () => Worker = createDecodeWorker) {
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
      this.close();
      const left = [...this.#pending.values()];
      this.#pending.clear();
      for (const one of left) fetchAndDecodeScaledBitmap(one.url, this.#budget).then(one.done, one.failed);
    };
  }

  /** Decodes the image at a URL. */
  load(url: string, done: PendingDecode['done'], _: unknown, failed: PendingDecode['failed']): void {
    if (!this.#worker) {
      fetchAndDecodeScaledBitmap(url, this.#budget).then(done, failed);
      return;
    }
    const id = this.#nextId++;
    this.#pending.set(id, { url, done, failed });
    this.#worker.postMessage({ id, url } satisfies DecodeRequest);
  }

  /** Ends the worker. */
  close(): void {
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
