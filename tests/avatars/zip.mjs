// Writes zip archives whose entries may be of any method and have any flags. Entries are stored unless `method` says
// otherwise; then their bytes are written as they are.

import { crc32 } from 'node:zlib';

/** Compression methods that the corpus names. */
export const METHODS = { stored: 0, deflate64: 9, lzma: 14, aes: 99 };

/** A zip archive of entries `{ name, bytes, method, encrypted }`; `name` is a string or raw bytes. */
export function writeZip(entries) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, bytes, method = METHODS.stored, encrypted = false } of entries) {
    const nameBytes = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(method === METHODS.aes ? 51 : 20, 0);
    common.writeUInt16LE(encrypted ? 1 : 0, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt16LE(0x5a21, 8);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, nameBytes, bytes]);
    const attributes = Buffer.alloc(14);
    attributes.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\0', 'latin1'), common, attributes, nameBytes]));
    parts.push(local);
    offset += local.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, listed, end]);
}
