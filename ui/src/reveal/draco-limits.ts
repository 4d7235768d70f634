// Bounds the memory that the Draco meshes of an avatar unpack to. A regular mesh takes a hundred times its compressed
// size, and the document may state less: the decoder decodes all that is in the bytes.
import {
  readPointAttributeByteSizes,
  trySkipEdgebreakerFaceData,
  trySkipSequentialMeshIndices,
} from './draco-attributes';
import { DracoReader } from './draco-reader';
import { MAX_READ_BYTES } from './read-saved-file';

/** Three indices of four bytes. */
const FACE_BYTES = 12;
/** The least that is counted for an attribute of a point: four numbers of four bytes. */
const ATTRIBUTE_BYTES = 16;
/** The number of attributes where it cannot be read: as many as three.js draws with. */
const UNREAD_ATTRIBUTES = 10;
const METADATA_FLAG = 0x8000;

/** Values of the header's field `encoder_type`. */
const [POINT_CLOUD, TRIANGULAR_MESH] = [0, 1];
/** Values of the header's field `encoder_method` for meshes. */
const [SEQUENTIAL, EDGEBREAKER] = [0, 1];

/** What a Draco file states. */
export interface DracoSize {
  vertices: number;
  faces: number;
  /** Whether its vertices may be several points, as at the seams of a texture. */
  hasSeams: boolean;
  /** The size in bytes of each attribute of a point; null where only the decoder could read it. */
  attributes: number[] | null;
}

/** Limits the bytes to which the Draco meshes of one avatar unpack. */
export class DracoBudget {
  #leftBytes = MAX_READ_BYTES;

  /** Counts a mesh. Throws an error with the reason when it must not be decoded. */
  countMesh(file: Uint8Array): void {
    const size = readDracoSize(file);
    if (!size) throw new Error('the file is no valid glTF: the size of a Draco mesh is unknown');
    const { vertices, faces, hasSeams, attributes } = size;
    const points = hasSeams ? Math.max(vertices, 3 * faces) : vertices;
    const pointBytes = attributes
      ? attributes.reduce((all, bytes) => all + Math.max(bytes, ATTRIBUTE_BYTES), 0)
      : UNREAD_ATTRIBUTES * ATTRIBUTE_BYTES;
    const bytes = faces * FACE_BYTES + points * pointBytes;
    if (bytes > this.#leftBytes) throw new Error(`its meshes unpack to more than ${MAX_READ_BYTES} bytes`);
    this.#leftBytes -= bytes;
  }
}

/**
 * The size in the header of a Draco file; null when it is unknown. KHR_draco_mesh_compression allows only version 2.2 of
 * the format.
 */
export function readDracoSize(file: Uint8Array): DracoSize | null {
  const reader = new DracoReader(file);
  return resultOrNullAtFileEnd(() => {
    const [magic, major, minor] = [reader.readText(5), reader.readByte(), reader.readByte()];
    if (magic !== 'DRACO' || major !== 2 || minor !== 2) return null;
    const [type, method] = [reader.readByte(), reader.readByte()];
    const flags = reader.readByte() | (reader.readByte() << 8);
    if (flags & METADATA_FLAG) reader.skipGeometryMetadata();
    if (type === POINT_CLOUD) return readPointCloud(reader);
    if (type !== TRIANGULAR_MESH) return null;
    if (method === SEQUENTIAL) return readSequentialMesh(reader);
    return method === EDGEBREAKER ? readEdgebreakerMesh(reader) : null;
  });
}

function readPointCloud(reader: DracoReader): DracoSize {
  const vertices = reader.readUint32();
  return {
    vertices,
    faces: 0,
    hasSeams: false,
    attributes: resultOrNullAtFileEnd(() => readPointAttributeByteSizes(reader, 0)),
  };
}

function readSequentialMesh(reader: DracoReader): DracoSize {
  const faces = reader.readVarint();
  const vertices = reader.readVarint();
  const attributes = resultOrNullAtFileEnd(() =>
    trySkipSequentialMeshIndices(reader, faces, vertices) ? readPointAttributeByteSizes(reader, 0) : null,
  );
  return { faces, vertices, hasSeams: false, attributes };
}

function readEdgebreakerMesh(reader: DracoReader): DracoSize {
  const traversal = reader.readByte();
  const vertices = reader.readVarint();
  const faces = reader.readVarint();
  const seams = reader.readByte();
  const attributes = resultOrNullAtFileEnd(() =>
    trySkipEdgebreakerFaceData(reader, traversal, seams)
      ? readPointAttributeByteSizes(reader, EDGEBREAKER_DECODER_BYTES)
      : null,
  );
  return { faces, vertices, hasSeams: seams > 0, attributes };
}

/** Which data, how they are decoded, and in which order. */
const EDGEBREAKER_DECODER_BYTES = 3;

/** The result; null when the file ends before. */
function resultOrNullAtFileEnd<T>(read: () => T | null): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
