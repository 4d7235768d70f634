import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { DecodeRequest } from './decode-bitmap';
import { GltfImageLoader } from './texture-decoder';

vi.mock('./decode-bitmap', () => ({
  decodeScaledBitmap: async ([first]: Uint8Array) => ({ here: first }),
}));

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
    decoder = new GltfImageLoader(bytesOf, () => hand as unknown as Worker);
  });
  const file = Uint8Array.of(0, 1, 2);
  const bytesOf = (name: string) => {
    if (name === 'missing') throw new Error('not in the file');
    return file.subarray(Number(name), Number(name) + 1);
  };
  const ask = (name: string) =>
    new Promise((resolve, reject) => decoder.load(name, resolve, undefined, reject));

  it('are decoded by the worker, each response for its request', async () => {
    const [one, other] = [ask('1'), ask('2')];
    // Copies, not parts of the file: those would be sent with the whole of it.
    expect(hand.asked.map(({ bytes }) => [...new Uint8Array(bytes.buffer)])).toEqual([[1], [2]]);
    expect(file).toHaveLength(3);
    hand.answer({ id: hand.asked[1]?.id, bitmap: 'second' });
    hand.answer({ id: hand.asked[0]?.id, bitmap: 'first' });
    expect(await Promise.all([one, other])).toEqual(['first', 'second']);
    decoder.close();
    expect(hand.ended).toBe(true);
  });

  it('are decoded on the main thread when no worker can be started', async () => {
    const warned = vi.spyOn(console, 'warn').mockImplementation(() => {});
    decoder = new GltfImageLoader(bytesOf, () => {
      throw new Error('refused');
    });
    expect(await ask('1')).toEqual({ here: 1 });
    decoder.close();
    expect(warned).toHaveBeenCalledTimes(1);
    warned.mockRestore();
  });

  it('that cannot be decoded are rejected', async () => {
    const broken = ask('1');
    hand.answer({ id: hand.asked[0]?.id, problem: 'no picture' });
    await expect(broken).rejects.toThrow('no picture');
    await expect(ask('missing')).rejects.toThrow('not in the file');
  });

  it('are not decoded after the end, on no thread', async () => {
    const waiting = ask('2');
    decoder.close();
    await expect(waiting).rejects.toThrow('has ended');
    await expect(ask('1')).rejects.toThrow('has ended');
    expect(hand.asked).toHaveLength(1);
  });

  it('are decoded on the main thread after the worker failed, pending and later ones', async () => {
    const waiting = ask('1');
    hand.onerror?.();
    expect(await waiting).toEqual({ here: 1 });
    expect(await ask('2')).toEqual({ here: 2 });
    expect(hand.ended).toBe(true);
  });
});
