// Reads the parts of which Draco files consist.

/** Reads a Draco file from its start. Throws a `RangeError` at the end of the file. */
export class DracoReader {
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
        this.skip(this.readByte());
        this.skip(this.readVarint());
      }
      open += this.readVarint();
      if (open > 1) this.skip(this.readByte());
    }
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }
}
