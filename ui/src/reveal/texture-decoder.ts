// Has pictures decoded beside the screen: WebKit decodes them where the screen is drawn, an eighth of a second for each.
import { type DecodeRequest, type DecodeResponse, decodeBitmap } from './decode-bitmap';

interface PendingDecode {
  url: string;
  done(bitmap: ImageBitmap): void;
  failed(error: unknown): void;
}

/** What the GLTFLoader of three.js takes for its loader of pictures. The caller closes it. */
export class TextureDecoder {
  readonly isImageBitmapLoader = true;
  readonly #pending = new Map<number, PendingDecode>();
  #worker: Worker | null;
  #nextId = 0;

  constructor(start: () => Worker = createDecodeWorker) {
    this.#worker = tryStartWorker(start);
    if (!this.#worker) return;
    this.#worker.onmessage = ({ data }: MessageEvent<DecodeResponse>) => {
      const waiting = this.#pending.get(data.id);
      this.#pending.delete(data.id);
      if ('bitmap' in data) {
        if (waiting) waiting.done(data.bitmap);
        else data.bitmap.close();
      } else waiting?.failed(new Error(data.problem));
    };
    // A view that runs no workers decodes as well as it can.
    this.#worker.onerror = () => {
      this.close();
      const left = [...this.#pending.values()];
      this.#pending.clear();
      for (const one of left) decodeBitmap(one.url).then(one.done, one.failed);
    };
  }

  /** Decodes the picture at a URL. */
  load(url: string, done: PendingDecode['done'], _: unknown, failed: PendingDecode['failed']): void {
    if (!this.#worker) {
      decodeBitmap(url).then(done, failed);
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

/** None where the view refuses one at once; others tell it as an error later. */
function tryStartWorker(start: () => Worker): Worker | null {
  try {
    return start();
  } catch (error) {
    console.warn('pictures are decoded without a worker:', error);
    return null;
  }
}

function createDecodeWorker(): Worker {
  return new Worker(new URL('./texture-decoder.worker.ts', import.meta.url), { type: 'module' });
}
