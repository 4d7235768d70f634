import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { DecodeRequest } from './decode-bitmap';
import { GltfImageLoader } from './texture-decoder';

vi.mock('./decode-bitmap', () => ({ fetchAndDecodeScaledBitmap: async (url: string) => ({ here: url }) }));

/** A worker controlled by the test. */
class Hand {
  readonly asked: DecodeRequest[] = [];
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: (() => void) | null = null;
  ended = false;
  postMessage(asked: DecodeRequest) {
    this.asked.push(asked);
  }
  terminate() {
    this.ended = true;
  }
  answer(data: object) {
    this.onmessage?.({ data } as MessageEvent);
  }
}

describe('pictures', () => {
  let hand: Hand;
  let decoder: GltfImageLoader;
  beforeEach(() => {
    hand = new Hand();
    decoder = new GltfImageLoader(() => hand as unknown as Worker);
  });
  const ask = (url: string) =>
    new Promise((resolve, reject) => decoder.load(url, resolve, undefined, reject));

  it('are decoded by the worker, each response for its request', async () => {
    const [one, other] = [ask('blob:1'), ask('blob:2')];
    expect(hand.asked.map(({ url }) => url)).toEqual(['blob:1', 'blob:2']);
    hand.answer({ id: hand.asked[1]?.id, bitmap: 'second' });
    hand.answer({ id: hand.asked[0]?.id, bitmap: 'first' });
    expect(await Promise.all([one, other])).toEqual(['first', 'second']);
    decoder.close();
    expect(hand.ended).toBe(true);
  });

  it('are decoded on the main thread when no worker can be started', async () => {
    const warned = vi.spyOn(console, 'warn').mockImplementation(() => {});
    decoder = new GltfImageLoader(() => {
      throw new Error('refused');
    });
    expect(await ask('blob:1')).toEqual({ here: 'blob:1' });
    decoder.close();
    expect(warned).toHaveBeenCalledTimes(1);
    warned.mockRestore();
  });

  it('that cannot be decoded are rejected', async () => {
    const broken = ask('blob:1');
    hand.answer({ id: hand.asked[0]?.id, problem: 'no picture' });
    await expect(broken).rejects.toThrow('no picture');
  });

  it('are decoded on the main thread after the worker failed, pending and later ones', async () => {
    const waiting = ask('blob:1');
    hand.onerror?.();
    expect(await waiting).toEqual({ here: 'blob:1' });
    expect(await ask('blob:2')).toEqual({ here: 'blob:2' });
    expect(hand.ended).toBe(true);
  });
});
