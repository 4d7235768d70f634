import { zipSync } from 'fflate';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { bufferViewBytes, imageBytes } from './avatar-file';
import { openAvatarFile } from './open-avatar-file';
import { unpackAvatar } from './unpack-avatar';

afterEach(() => vi.unstubAllGlobals());

const text = (content: unknown) =>
  new TextEncoder().encode(typeof content === 'string' ? content : JSON.stringify(content));
const buffer = (bytes: Uint8Array) => bytes.slice().buffer;
const document = {
  asset: { version: '2.0' },
  buffers: [{ uri: 'data/my%20avatar.bin', byteLength: 4 }],
  bufferViews: [{ buffer: 0, byteOffset: 1, byteLength: 2 }],
  images: [{ uri: 'textures/Face.PNG' }, { uri: 'nowhere.png' }],
};
const beside = {
  'me/data/my avatar.bin': Uint8Array.of(1, 2, 3, 4),
  'me/textures/face.png': Uint8Array.of(9),
};

/** A GLB with this JSON, padded with these bytes, and whatever follows. */
function glb(gltf: unknown, padding = 0x20, after = new Uint8Array()): ArrayBuffer {
  const json = text(gltf);
  const padded = Math.ceil((json.length + 1) / 4) * 4;
  const bytes = new Uint8Array(20 + padded + after.length).fill(padding);
  const view = new DataView(bytes.buffer);
  [0x46546c67, 2, bytes.length, padded, 0x4e4f534a].forEach((word, i) => {
    view.setUint32(i * 4, word, true);
  });
  bytes.set(json, 20);
  bytes.set(after, 20 + padded);
  return bytes.buffer;
}

describe('a zip archive', () => {
  it('is opened with the files beside the document, in any spelling of their path', () => {
    const file = unpackAvatar(
      buffer(zipSync({ 'me/avatar.gltf': text(document), '__MACOSX/._a.gltf': text('{'), ...beside })),
    );
    expect(bufferViewBytes(file, 0)).toEqual(Uint8Array.of(2, 3));
    expect(imageBytes(file, 0)).toEqual(Uint8Array.of(9));
    expect(imageBytes(file, 1)).toBeNull();
  });

  it('is opened with the GLB in it, rather than a document', () => {
    const entries = { 'a.gltf': text({}), 'b/c.GLB': new Uint8Array(glb({ meshes: [] })) };
    expect(unpackAvatar(buffer(zipSync(entries))).gltf).toEqual({ meshes: [] });
  });

  it('has one copy of each file, however many addresses name it', () => {
    const images = ['a.png', './A.png', 'x/a.png', 'b.png'].map((uri) => ({ uri }));
    const archive = zipSync({
      'model.gltf': text({ images }),
      'a.png': Uint8Array.of(1, 2),
      'b.png': text('b'),
    });
    // A size in the directory that is too large: the entry is then a part of a larger buffer.
    const view = new DataView(archive.buffer);
    const directory = archive.findIndex((_, i) => i > 4 && view.getUint32(i) === 0x504b0102);
    const entry = archive.findIndex((_, i) => i > directory && view.getUint32(i) === 0x504b0102);
    view.setUint32(entry + 24, 500, true);
    const found = unpackAvatar(buffer(archive)).images;
    expect(found.get(0)).toEqual(Uint8Array.of(1, 2));
    expect(found.get(0)?.buffer.byteLength).toBe(2);
    for (const other of [1, 2]) expect(found.get(other)).toBe(found.get(0));
    expect(found.get(3)).toEqual(text('b'));
  });

  it.each<[reason: RegExp, archive: Uint8Array]>([
    [/contains no glTF file/, zipSync({ 'avatar.fbx': new Uint8Array(5) })],
    [/cannot be unpacked/, zipSync({ 'avatar.glb': new Uint8Array(500) }).subarray(0, 60)],
    [/no valid JSON/, zipSync({ 'avatar.gltf': text('{ "asset": ') })],
  ])('is refused with the reason %s', (reason, archive) => {
    expect(() => unpackAvatar(buffer(archive))).toThrow(reason);
  });

  // Of a compressed entry the unpacked size counts, of a stored one what is taken out of the archive.
  it.each<[what: string, level: 0 | 6, field: number]>([
    ['unpacked', 6, 24],
    ['stored', 0, 20],
  ])('is refused when the %s bytes of its entries exceed a screen’s memory', (_, level, field) => {
    const archive = zipSync({ 'avatar.glb': new Uint8Array(64) }, { level });
    // The size in the directory at its end, which is all that is looked at.
    const view = new DataView(archive.buffer);
    const directory = archive.findIndex((_, i) => i > 4 && view.getUint32(i) === 0x504b0102);
    view.setUint32(directory + field, 4_000_000_000, true);
    expect(() => unpackAvatar(buffer(archive))).toThrow(/unpacks to more than/);
  });

  it('is refused when entries that share their bytes exceed a screen’s memory together', () => {
    const names = Array.from({ length: 5 }, (_, i) => `${i}.png`);
    const archive = zipSync(Object.fromEntries(names.map((name) => [name, new Uint8Array(8)])), { level: 0 });
    const view = new DataView(archive.buffer);
    for (let at = 0; at + 4 < archive.length; at += 1) {
      if (view.getUint32(at) !== 0x504b0102) continue;
      view.setUint32(at + 20, 50_000_000, true);
      view.setUint32(at + 24, 0, true);
      view.setUint32(at + 42, 0, true);
    }
    expect(() => unpackAvatar(buffer(archive))).toThrow(/unpacks to more than/);
  });
});

describe('a document', () => {
  it('is opened with the data in it, which is not kept twice', () => {
    const gltf = {
      buffers: [{ uri: 'data:application/octet-stream;base64,AQIDBA==' }],
      bufferViews: [{ byteLength: 4 }],
      images: [{ uri: 'data:image/png;base64,CQ==' }, { uri: 'data:image/png;base64,%%%' }],
    };
    const file = unpackAvatar(buffer(text(`\ufeff${JSON.stringify(gltf)}\n\0`)));
    expect(bufferViewBytes(file, 0)).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(imageBytes(file, 0)).toEqual(Uint8Array.of(9));
    expect(imageBytes(file, 1)).toBeNull();
    expect(JSON.stringify(file.gltf)).not.toContain('AQID');
  });

  it.each<[what: string, bytes: Uint8Array]>([
    ['an FBX file', text('Kaydara FBX Binary')],
    ['a PNG picture', Uint8Array.of(0x89, 0x50, 0x4e, 0x47)],
    ['a web page or XML', text('  <html>')],
    ['of an unknown kind', new Uint8Array(40)],
    ['empty', new Uint8Array()],
  ])('is refused when it is %s', (what, bytes) => {
    expect(() => unpackAvatar(buffer(bytes))).toThrow(what);
  });
});

describe('the description of a file', () => {
  it('is refused when it has more values than any avatar, before they are made', () => {
    const parse = vi.spyOn(JSON, 'parse');
    const many = `{"extras":[${'{},'.repeat(1_200_000)}0]}`;
    for (const bytes of [glb(many), buffer(text(many)), buffer(zipSync({ 'a.gltf': text(many) }))])
      expect(() => unpackAvatar(bytes)).toThrow(/description consists of more than/);
    expect(parse).not.toHaveBeenCalled();
  });

  it('may have much text, as a document with its data in it has', () => {
    const gltf = { extras: 'A'.repeat(5_000_000) };
    expect(unpackAvatar(buffer(text(gltf))).gltf).toEqual(gltf);
  });
});

describe('opening a file', () => {
  const never = new AbortController().signal;

  it('parses a GLB on this thread, also with zeros after its JSON and bytes after its end', async () => {
    vi.stubGlobal('Worker', undefined);
    const gltf = { meshes: [] };
    expect((await openAvatarFile(glb(gltf, 0), never)).gltf).toEqual(gltf);
    expect((await openAvatarFile(glb(gltf, 0x20, text('more bytes')), never)).gltf).toEqual(gltf);
  });

  it('opens others in a worker, and here when it does not start', async () => {
    const zipped = buffer(zipSync({ 'me/avatar.gltf': text(document), ...beside }));
    const workers: FakeWorker[] = [];
    class FakeWorker {
      onmessage: ((event: { data: object }) => void) | null = null;
      onerror: (() => void) | null = null;
      terminate = vi.fn();
      constructor() {
        workers.push(this);
      }
      postMessage() {
        queueMicrotask(() => this.onerror?.());
      }
    }
    vi.stubGlobal('Worker', FakeWorker);
    expect((await openAvatarFile(zipped, never)).gltf.asset).toEqual({ version: '2.0' });
    expect(workers[0]?.terminate).toHaveBeenCalled();
    vi.stubGlobal('Worker', undefined);
    expect((await openAvatarFile(zipped, never)).gltf.asset).toEqual({ version: '2.0' });
    vi.stubGlobal(
      'Worker',
      class extends FakeWorker {
        override postMessage() {
          queueMicrotask(() => this.onmessage?.({ data: { problem: 'the reason' } }));
        }
      },
    );
    await expect(openAvatarFile(zipped, never)).rejects.toThrow('the reason');
  });
});
