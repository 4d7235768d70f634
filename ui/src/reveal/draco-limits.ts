// Bounds the memory that the Draco meshes of an avatar unpack to. A regular mesh takes a hundred times its compressed
// size, and the accessors that a document has for it may state less.
import { MAX_READ_BYTES } from './read-saved-file';

/** Three indices of four bytes. */
const FACE_BYTES = 12;
/** An attribute of a vertex: at most four numbers of four bytes. */
const ATTRIBUTE_BYTES = 16;
const METADATA_FLAG = 0x8000;

/** Values of the header's field `encoder_type`. */
const [POINT_CLOUD, TRIANGULAR_MESH] = [0, 1];
/** Values of the header's field `encoder_method` for meshes. */
const [SEQUENTIAL, EDGEBREAKER] = [0, 1];

/** The number of vertices and faces that a Draco file states. */
export interface DracoSize {
  vertices: number;
  faces: number;
}

/** Limits the bytes to which the Draco meshes of one avatar unpack. */
export class DracoBudget {
  #leftBytes = MAX_READ_BYTES;

  /** Counts a mesh with so many attributes. Throws an error with the reason when it must not be decoded. */
  countMesh(file: Uint8Array, attributes: number): void {
    const size = readDracoSize(file);
    if (!size) throw new Error('the file is no valid glTF: the size of a Draco mesh is unknown');
    const bytes = size.faces * FACE_BYTES + size.vertices * ATTRIBUTE_BYTES * attributes;
    if (bytes > this.#leftBytes) throw new Error(`its meshes unpack to more than ${MAX_READ_BYTES} bytes`);
    this.#leftBytes -= bytes;
  }
}

/**
 * The size in the header of a Draco file; null when it is unknown. KHR_draco_mesh_compression allows only version 2.2 of
 * the format.
 */
export function readDracoSize(file: Uint8Array): DracoSize | null {
  const reader = new DracoHeaderReader(file);
  try {
    const [magic, major, minor] = [reader.readText(5), reader.readByte(), reader.readByte()];
    if (magic !== 'DRACO' || major !== 2 || minor !== 2) return null;
    const [type, method] = [reader.readByte(), reader.readByte()];
    const flags = reader.readByte() | (reader.readByte() << 8);
    if (flags & METADATA_FLAG) reader.skipGeometryMetadata();
    if (type === POINT_CLOUD) return { vertices: reader.readUint32(), faces: 0 };
    if (type !== TRIANGULAR_MESH) return null;
    if (method === SEQUENTIAL) {
      const faces = reader.readVarint();
      return { faces, vertices: reader.readVarint() };
    }
    if (method !== EDGEBREAKER) return null;
    reader.readByte(); // How the connectivity is encoded.
    const vertices = reader.readVarint();
    return { vertices, faces: reader.readVarint() };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Reads a Draco header from its start. Throws a `RangeError` at the end of the file. */
class DracoHeaderReader {
  readonly #view: DataView;
  #at = 0;

  constructor(file: Uint8Array) {
    this.#view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  }

  readByte(): number {
    return this.#view.getUint8(this.#at++);
  }

  readUint32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  readText(length: number): string {
    return String.fromCharCode(...Array.from({ length }, () => this.readByte()));
  }

  /** A number of 7 bits a byte, the lowest first. */
  readVarint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.readByte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  /** Skips the metadata of the attributes, and those of the whole geometry. */
  skipGeometryMetadata(): void {
    for (let left = this.readVarint(); left > 0; left -= 1) {
      this.readVarint();
      this.#skipMetadata();
    }
    this.#skipMetadata();
  }

  /** Skips names with values, and the named metadata below them. */
  #skipMetadata(): void {
    // Without recursion: the nesting is the file's.
    for (let open = 1; open > 0; open -= 1) {
      for (let left = this.readVarint(); left > 0; left -= 1) {
        this.#skip(this.readByte());
        this.#skip(this.readVarint());
      }
      open += this.readVarint();
      if (open > 1) this.#skip(this.readByte());
    }
  }

  #skip(bytes: number): void {
    this.#at += bytes;
  }
}
