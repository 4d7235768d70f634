// Has pictures decoded beside the screen: WebKit decodes them where the screen is drawn, an eighth of a second for each.
import { bitmapOf, type Decoded, type Undecoded } from './decode-bitmap';

interface Waiting {
  url: string;
  done(bitmap: ImageBitmap): void;
  failed(error: unknown): void;
}

/** What the GLTFLoader of three.js takes for its loader of pictures. The caller closes it. */
export class Decoder {
  readonly isImageBitmapLoader = true;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null;
  #asked = 0;

  constructor(start: () => Worker = ownWorker) {
    this.#worker = started(start);
    if (!this.#worker) return;
    this.#worker.onmessage = ({ data }: MessageEvent<Decoded>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ('bitmap' in data) {
        if (waiting) waiting.done(data.bitmap);
        else data.bitmap.close();
      } else waiting?.failed(new Error(data.problem));
    };
    // A view that runs no workers decodes as well as it can.
    this.#worker.onerror = () => {
      this.close();
      const left = [...this.#waiting.values()];
      this.#waiting.clear();
      for (const one of left) bitmapOf(one.url).then(one.done, one.failed);
    };
  }

  /** Decodes the picture at a URL. */
  load(url: string, done: Waiting['done'], _: unknown, failed: Waiting['failed']): void {
    if (!this.#worker) {
      bitmapOf(url).then(done, failed);
      return;
    }
    const id = this.#asked++;
    this.#waiting.set(id, { url, done, failed });
    this.#worker.postMessage({ id, url } satisfies Undecoded);
  }

  /** Ends the worker. */
  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
  }
}

/** None where the view refuses one at once; others tell it as an error later. */
function started(start: () => Worker): Worker | null {
  try {
    return start();
  } catch (error) {
    console.warn('pictures are decoded without a worker:', error);
    return null;
  }
}

function ownWorker(): Worker {
  return new Worker(new URL('./texture-decoder.worker.ts', import.meta.url), { type: 'module' });
}
