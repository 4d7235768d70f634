import { afterEach, describe, expect, it, vi } from 'vitest';
import { MAX_READ_BYTES, readSavedFile } from './read-saved-file';

const CHUNK = 70_000;
const PIECE = 300_000;
const file = Uint8Array.from({ length: 40 * CHUNK }, (_, i) => Math.floor(i / CHUNK) + 1);
const never = new AbortController().signal;

/** Serves pieces of `content` as `avatar_protocol.rs` does, and records the requested URLs. */
function serveInPieces(content: Uint8Array, sizeOfRequest = (_: number) => content.length): string[] {
  const urls: string[] = [];
  vi.stubGlobal('fetch', async (url: string) => {
    urls.push(url);
    const from = Number(new URL(url).searchParams.get('from'));
    const piece = content.slice(from, from + PIECE);
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        for (let at = 0; at < piece.length; at += CHUNK) controller.enqueue(piece.slice(at, at + CHUNK));
        controller.close();
      },
    });
    return new Response(body, { headers: { 'x-file-size': String(sizeOfRequest(urls.length)) } });
  });
  return urls;
}

describe('a large saved file', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('is read in pieces and comes whole', async () => {
    const urls = serveInPieces(file);
    const bytes = new Uint8Array(await readSavedFile('avatar://localhost/v/avatar.glb', never));
    expect(Buffer.compare(bytes, file)).toBe(0);
    expect(urls.slice(0, 2)).toEqual([
      'avatar://localhost/v/avatar.glb?from=0',
      `avatar://localhost/v/avatar.glb?from=${PIECE}`,
    ]);
    expect(urls).toHaveLength(Math.ceil(file.length / PIECE));
  });

  it('is not read when it would use up the memory', async () => {
    const urls = serveInPieces(file, () => MAX_READ_BYTES + 1);
    await expect(readSavedFile('avatar://localhost/v/a.glb', never)).rejects.toThrow('too large to be shown');
    expect(urls).toHaveLength(1);
  });

  it('is not mixed from two files', async () => {
    serveInPieces(file, (request) => (request < 3 ? file.length : file.length + 1));
    await expect(readSavedFile('avatar://localhost/v/a.glb', never)).rejects.toThrow('has changed');
  });

  it('ends when the file has become shorter', async () => {
    serveInPieces(file.slice(0, PIECE + 10), () => file.length);
    await expect(readSavedFile('avatar://localhost/v/a.glb', never)).rejects.toThrow('has become shorter');
  });

  it('rejects with the status when the file is not served', async () => {
    vi.stubGlobal('fetch', async () => new Response(null, { status: 404 }));
    await expect(readSavedFile('avatar://localhost/v/a.glb', never)).rejects.toThrow('not served: 404');
  });

  it('stops when the request is cancelled', async () => {
    serveInPieces(file);
    const leaving = new AbortController();
    leaving.abort(new Error('gone'));
    await expect(readSavedFile('avatar://localhost/v/a.glb', leaving.signal)).rejects.toThrow('gone');
  });
});
