import { describe, expect, it } from 'vitest';
import { readBodyInSlices } from './read-body';

describe('a large response', () => {
  const pieces = Array.from({ length: 40 }, (_, i) => new Uint8Array(70_000).fill(i + 1));
  const whole = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
  const answer = (headers: Record<string, string> = {}) => {
    const left = [...pieces];
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const next = left.shift();
        if (next) controller.enqueue(next);
        else controller.close();
      },
    });
    return new Response(body, { headers });
  };
  const never = new AbortController().signal;

  it.each([
    ['announced', { 'content-length': String(whole.length) }],
    ['not announced', {}],
    ['announced too short', { 'content-length': '100' }],
    ['announced too long', { 'content-length': String(whole.length + 1) }],
  ])('%s comes whole', async (_, headers) => {
    const bytes = new Uint8Array(await readBodyInSlices(answer(headers as Record<string, string>), never));
    expect(bytes.length).toBe(whole.length);
    expect(Buffer.compare(bytes, whole)).toBe(0);
  });

  it('stops when the request is cancelled', async () => {
    const leaving = new AbortController();
    leaving.abort(new Error('gone'));
    await expect(readBodyInSlices(answer(), leaving.signal)).rejects.toThrow('gone');
  });
});
