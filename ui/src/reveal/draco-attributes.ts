// Finds the attributes in a Draco file (bitstream 2.2) without decoding it: what stands before them has its size stated,
// or is skipped byte by byte.
import type { DracoReader } from './draco-reader';

/** The size in bytes of a value, by the field `data_type`. */
const VALUE_BYTES = [0, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 1];
/** Values of how edgebreaker's symbols are coded. */
const [STANDARD, VALENCE] = [0, 2];
const VALENCE_CONTEXTS = 6;
/** Values of how indices are stored. */
const [COMPRESSED, PLAIN] = [0, 1];
/** How symbols are coded whose size is stated; those of the other kind can only be decoded. */
const RAW_SYMBOLS = 1;

/**
 * The size in bytes of each attribute of a point. Before them, each of their decoders has so many bytes.
 */
export function readPointAttributeByteSizes(reader: DracoReader, bytesOfDecoder: number): number[] {
  const decoders = reader.readByte();
  reader.skip(decoders * bytesOfDecoder);
  const sizes: number[] = [];
  for (let decoder = 0; decoder < decoders; decoder += 1) {
    const attributes = reader.readVarint();
    for (let i = 0; i < attributes; i += 1) {
      reader.readByte(); // What it is for.
      const value = VALUE_BYTES[reader.readByte()] ?? 8;
      sizes.push(value * reader.readByte());
      reader.readByte(); // Whether it is normalized.
      reader.readVarint(); // Its id.
    }
    reader.skip(attributes); // How each is decoded.
  }
  return sizes;
}

/** Skips the indices of a sequential mesh. False when only the decoder could. */
export function trySkipSequentialMeshIndices(reader: DracoReader, faces: number, vertices: number): boolean {
  const corners = faces * 3;
  const stored = reader.readByte();
  if (stored === COMPRESSED) return skipSymbolsUnlessDecoderNeeded(reader);
  if (stored !== PLAIN) return false;
  if (vertices < 2 ** 8) reader.skip(corners);
  else if (vertices < 2 ** 16) reader.skip(corners * 2);
  else if (vertices < 2 ** 21) for (let i = 0; i < corners; i += 1) reader.readVarint();
  else reader.skip(corners * 4);
  return true;
}

/** Skips what edgebreaker has of the faces, after the number of attributes with seams. False when only the decoder could. */
export function trySkipEdgebreakerFaceData(reader: DracoReader, traversal: number, seams: number): boolean {
  reader.readVarint(); // Symbols.
  reader.readVarint(); // Symbols of splits.
  const splits = reader.readVarint();
  for (let i = 0; i < splits; i += 1) {
    reader.readVarint();
    reader.readVarint();
  }
  reader.skip(Math.ceil(splits / 8));
  if (traversal !== STANDARD && traversal !== VALENCE) return false;
  if (traversal === STANDARD) reader.skip(reader.readVarint());
  // The faces at which it starts, and the seams of each attribute: a probability, and bytes.
  for (let i = 0; i < 1 + seams; i += 1) {
    reader.readByte();
    reader.skip(reader.readVarint());
  }
  for (let i = 0; traversal === VALENCE && i < VALENCE_CONTEXTS; i += 1)
    if (reader.readVarint() > 0 && !skipSymbolsUnlessDecoderNeeded(reader)) return false;
  return true;
}

/** Skips symbols with the table of their probabilities. False when only the decoder could. */
function skipSymbolsUnlessDecoderNeeded(reader: DracoReader): boolean {
  if (reader.readByte() !== RAW_SYMBOLS) return false;
  reader.readByte(); // Bits of the largest symbol.
  const symbols = reader.readVarint();
  for (let i = 0; i < symbols; i += 1) {
    const entry = reader.readByte();
    const kind = entry & 3;
    // Several probabilities of zero, or one with so many more bytes.
    if (kind === 3) i += entry >> 2;
    else reader.skip(kind);
  }
  reader.skip(reader.readVarint());
  return true;
}
