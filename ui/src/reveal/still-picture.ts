// A machine that cannot draw the moving avatar sharply draws it once, at full size and with four samples for each
// pixel, while nothing moves. Strip by strip and without waiting for the card, so that the screen is never blocked.
import type { PerspectiveCamera, WebGLRenderer } from 'three';
import { readDrawnPixels } from './read-pixels';

/** Pixels of the picture up to which each has four samples: the avatar's place at 1080p. Above, each has one. */
const MAX_SMOOTHED_PIXELS = 1.3e6;
/** Milliseconds that a strip should take. */
const STRIP_MS = 60;
/** Samples of the first strip, and the fewest and the most of one. */
const STRIP_SAMPLES = { first: 150_000, fewest: 100_000, most: 700_000 } as const;
const FADE_MS = 350;

/** Says on the element around the canvas (`data-sharp`) whether each of its pixels is drawn, with smooth edges. */
export function markAvatarAsSharp(canvas: HTMLCanvasElement, isSharp: boolean): void {
  canvas.parentElement?.toggleAttribute('data-sharp', isSharp);
}

/** What draws the avatar. */
export interface AvatarRendererAndCamera {
  renderer: WebGLRenderer;
  camera: PerspectiveCamera;
  draw: () => void;
}

/** The still picture over the canvas of the moving avatar. */
export class StillPicture {
  readonly #source: AvatarRendererAndCamera;
  readonly #layers: HTMLCanvasElement[] = [];
  #drawing: AbortController | null = null;

  constructor(source: AvatarRendererAndCamera) {
    this.#source = source;
  }

  /** Whether it is shown, or being drawn. */
  get isHeld(): boolean {
    return this.#drawing !== null;
  }

  /** Shows what is on the canvas now, and then a sharp picture of it. `width` and `height` in device pixels. */
  hold(width: number, height: number): void {
    this.release();
    this.#drawing = new AbortController();
    const { signal } = this.#drawing;
    this.#drawLayers(width, height, signal).catch((error: unknown) => {
      if (!signal.aborted) console.warn('no still picture of the avatar:', error);
    });
  }

  /** Removes it. The canvas then needs its size and a new drawing. */
  release(): void {
    this.#drawing?.abort();
    this.#drawing = null;
    for (const layer of this.#layers.splice(0)) layer.remove();
    markAvatarAsSharp(this.#source.renderer.domElement, false);
    this.#source.renderer.domElement.style.opacity = '';
    this.#source.camera.clearViewOffset();
  }

  async #drawLayers(width: number, height: number, signal: AbortSignal): Promise<void> {
    const { renderer, draw } = this.#source;
    const canvas = renderer.domElement;
    // What is on the canvas is shown while the canvas draws the strips.
    const coarse = createTransparentCanvasLayer(canvas.width, canvas.height);
    draw();
    const pixels = await readDrawnPixels(renderer, coarse.layer.width, coarse.layer.height, signal);
    coarse.context.putImageData(gpuPixelsToAveragedImageData(pixels, coarse.layer.width, 1), 0, 0);
    this.#show(coarse.layer);
    // It still gets the pointer's events.
    canvas.style.opacity = '0';
    const sharp = await this.#drawStrips(width, height, signal);
    this.#show(sharp);
    const fade = sharp.animate([{ opacity: 0 }, { opacity: 1 }], { duration: FADE_MS, easing: 'ease' });
    await fade.finished;
    coarse.layer.remove();
    markAvatarAsSharp(canvas, true);
  }

  #show(layer: HTMLCanvasElement): void {
    this.#layers.push(layer);
    this.#source.renderer.domElement.parentElement?.append(layer);
  }

  async #drawStrips(width: number, height: number, signal: AbortSignal): Promise<HTMLCanvasElement> {
    const { renderer, camera, draw } = this.#source;
    const { layer, context } = createTransparentCanvasLayer(width, height);
    const fineness = width * height > MAX_SMOOTHED_PIXELS ? 1 : 2;
    let samples: number = STRIP_SAMPLES.first;
    let rows = 0;
    for (let top = 0; top < height; top += rows) {
      const begun = performance.now();
      rows = Math.max(1, Math.min(height - top, Math.floor(samples / (width * fineness ** 2))));
      renderer.setPixelRatio(1);
      renderer.setSize(width * fineness, rows * fineness, false);
      camera.setViewOffset(width, height, 0, top, width, rows);
      draw();
      const pixels = await readDrawnPixels(renderer, width * fineness, rows * fineness, signal);
      context.putImageData(gpuPixelsToAveragedImageData(pixels, width * fineness, fineness), 0, top);
      const taken = performance.now() - begun;
      const change = Math.min(2, Math.max(0.5, STRIP_MS / Math.max(1, taken)));
      samples = Math.min(STRIP_SAMPLES.most, Math.max(STRIP_SAMPLES.fewest, samples * change));
      // The rest of the screen gets as much time.
      await new Promise((resolve) => setTimeout(resolve, taken));
      signal.throwIfAborted();
    }
    return layer;
  }
}

/**
 * Pixels of a card (rows of `across` from the bottom, colours multiplied by their opacity) as those of a picture. The
 * mean of each square with a side of `fineness` becomes one pixel.
 */
export function gpuPixelsToAveragedImageData(
  pixels: Uint8Array,
  across: number,
  fineness: number,
): ImageData {
  const width = across / fineness;
  const height = pixels.length / 4 / across / fineness;
  const out = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      const sum = [0, 0, 0, 0];
      for (let row = 0; row < fineness; row += 1) {
        const from = ((height - 1 - y) * fineness + row) * across + x * fineness;
        for (let at = 4 * from; at < 4 * (from + fineness); at += 1)
          sum[at % 4] = (sum[at % 4] ?? 0) + (pixels[at] ?? 0);
      }
      const [r = 0, g = 0, b = 0, a = 0] = sum;
      if (a === 0) continue;
      out.set([(255 * r) / a, (255 * g) / a, (255 * b) / a, a / fineness ** 2], 4 * (y * width + x));
    }
  return new ImageData(out, width, height);
}

/** A transparent canvas that fills its place. */
function createTransparentCanvasLayer(
  width: number,
  height: number,
): { layer: HTMLCanvasElement; context: CanvasRenderingContext2D } {
  const layer = document.createElement('canvas');
  layer.width = width;
  layer.height = height;
  Object.assign(layer.style, { position: 'absolute', inset: '0', pointerEvents: 'none' });
  const context = layer.getContext('2d');
  if (!context) throw new Error('there is no 2D canvas');
  return { layer, context };
}
