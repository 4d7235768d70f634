// Reads and writes binary glTF without validating it, so that a file may be broken on purpose.

const JSON_CHUNK = 0x4e4f534a;
const BINARY_CHUNK = 0x004e4942;

/** Splits a GLB into its document and its binary chunk. Both are copies. */
export function readGlb(bytes) {
  const buffer = Buffer.from(bytes);
  const jsonLength = buffer.readUInt32LE(12);
  const document = JSON.parse(buffer.subarray(20, 20 + jsonLength).toString('utf8'));
  const rest = buffer.subarray(20 + jsonLength);
  const binary = rest.length > 8 ? Buffer.from(rest.subarray(8, 8 + rest.readUInt32LE(0))) : Buffer.alloc(0);
  return { document, binary };
}

/** One chunk, padded to four bytes. */
export function chunk(type, body, padding = 0) {
  const padded = Buffer.concat([body, Buffer.alloc(-body.length & 3, padding)]);
  const header = Buffer.alloc(8);
  header.writeUInt32LE(padded.length, 0);
  header.writeUInt32LE(type, 4);
  return Buffer.concat([header, padded]);
}

/** A GLB of these chunks. */
export function container(...chunks) {
  const body = Buffer.concat(chunks);
  const header = Buffer.from('glTF\x02\0\0\0\0\0\0\0', 'latin1');
  header.writeUInt32LE(12 + body.length, 8);
  return Buffer.concat([header, body]);
}

export function jsonChunk(document, padding = 0x20) {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  return chunk(JSON_CHUNK, Buffer.from(text), padding);
}

export function binaryChunk(body) {
  return chunk(BINARY_CHUNK, body);
}

/** A GLB of a document and its binary chunk, which may be empty. */
export function writeGlb({ document, binary }) {
  return binary.length > 0 ? container(jsonChunk(document), binaryChunk(binary)) : container(jsonChunk(document));
}

/** The bytes of an accessor that is not interleaved, as a view into the binary chunk. */
export function accessorBytes({ document, binary }, index) {
  const accessor = document.accessors[index];
  const view = document.bufferViews[accessor.bufferView];
  const start = (view.byteOffset ?? 0) + (accessor.byteOffset ?? 0);
  return binary.subarray(start, (view.byteOffset ?? 0) + view.byteLength);
}
