// Opens avatars that take time to open: zip archives, and documents of many megabytes. Runs in a worker.
import { unzipSync } from 'fflate';
import { assembleAvatarFile, type FileFinder, type GltfDocumentWithBytes } from './avatar-file';
import { isGlb, parseGlb, parseGltfJson } from './glb-file';
import { MAX_READ_BYTES } from './read-saved-file';

/** Opens a GLB, a glTF document, or a zip archive with one of them. Throws an error with the reason otherwise. */
export function unpackAvatar(file: ArrayBuffer): GltfDocumentWithBytes {
  if (isGlb(file)) {
    const { gltf, binary } = parseGlb(file);
    return assembleAvatarFile(gltf, binary);
  }
  if (file.byteLength === 0) throw new Error('the file is empty');
  const bytes = new Uint8Array(file);
  if (startsWithBytes(bytes, 'PK\x03\x04')) return unpackAvatarZip(bytes);
  if (firstNonBlankCharacter(bytes) === '{')
    return assembleAvatarFile(parseGltfJson(bytes), new Uint8Array());
  throw new Error(`the file is ${describeFileTypeBySignature(bytes)}, which this screen cannot show`);
}

/** Opens the avatar in a zip archive: a GLB or VRM, else a glTF document with the files beside it. */
function unpackAvatarZip(archive: Uint8Array): GltfDocumentWithBytes {
  let copied = 0;
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(archive, {
      filter: ({ name, size, originalSize }) => {
        if (!canFileBelongToGltf(name)) return false;
        // A stored entry is copied by its size in the archive, whatever it says that it unpacks to. Entries may share
        // their bytes.
        copied += Math.max(size, originalSize);
        if (copied > MAX_READ_BYTES) throw new Error(`it unpacks to more than ${MAX_READ_BYTES} bytes`);
        return true;
      },
    });
  } catch (error) {
    throw new Error(`the zip archive cannot be unpacked: ${(error as Error).message}`);
  }
  const names = Object.keys(entries).sort((a, b) => a.length - b.length);
  const name = names.find((one) => /\.(glb|vrm)$/i.test(one)) ?? names.find((one) => /\.gltf$/i.test(one));
  const found = name === undefined ? undefined : entries[name];
  if (name === undefined || !found)
    throw new Error('the zip archive contains no glTF file (.glb, .gltf, .vrm)');
  const bytes = ensureOwnBuffer(found);
  if (isGlb(bytes.buffer)) {
    const { gltf, binary } = parseGlb(bytes.buffer);
    return assembleAvatarFile(gltf, binary, createFileFinderInZip(entries, name));
  }
  return assembleAvatarFile(parseGltfJson(bytes), new Uint8Array(), createFileFinderInZip(entries, name));
}

/** Whether a file of an archive may belong to a glTF document. */
function canFileBelongToGltf(name: string): boolean {
  return (
    !/(^|\/)(__MACOSX\/|\._)/.test(name) && /\.(glb|vrm|gltf|bin|png|jpe?g|webp|avif|ktx2|basis)$/i.test(name)
  );
}

/**
 * Finds files beside a document in an archive, also by another spelling of their path: packers change it. A file that is
 * found several times is copied once.
 */
function createFileFinderInZip(entries: Record<string, Uint8Array>, document: string): FileFinder {
  const byPath = new Map<string, Uint8Array>();
  for (const [path, bytes] of Object.entries(entries)) byPath.set(normalizePathToLowerCase(path), bytes);
  /** Null for a name that several files have. */
  const byBaseName = new Map<string, Uint8Array | null>();
  for (const [path, bytes] of byPath)
    byBaseName.set(baseName(path), byBaseName.has(baseName(path)) ? null : bytes);
  const copies = new Map<Uint8Array, Uint8Array<ArrayBuffer>>();
  const folder = normalizePathToLowerCase(document).replace(/[^/]*$/, '');
  return (uri) => {
    const named = [uri, decodePercentEncodingOrKeep(uri)].map((name) =>
      byPath.get(normalizePathToLowerCase(folder + name)),
    );
    const last = baseName(normalizePathToLowerCase(decodePercentEncodingOrKeep(uri)));
    const found = named.find(Boolean) ?? byBaseName.get(last);
    if (!found) return null;
    const copy = copies.get(found) ?? ensureOwnBuffer(found);
    copies.set(found, copy);
    return copy;
  };
}

/** The path in lower case, with slashes, and without `.` and `..`. */
function normalizePathToLowerCase(path: string): string {
  const parts: string[] = [];
  for (const part of path.replaceAll('\\', '/').toLowerCase().split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

/** The last part of a path: the name without its folders. */
function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Decodes `%20` and the like; the same text if it is not encoded. */
function decodePercentEncodingOrKeep(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The same bytes, alone in their buffer, so that it can be parsed from its start and moved to another thread. */
function ensureOwnBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.byteLength === bytes.buffer.byteLength ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
}

/** What a file is by its first bytes, with its article. */
function describeFileTypeBySignature(bytes: Uint8Array): string {
  const known: [start: string, name: string][] = [
    ['Kaydara FBX', 'an FBX file'],
    ['BLENDER', 'a Blender file'],
    ['\x89PNG', 'a PNG picture'],
    ['\xff\xd8\xff', 'a JPEG picture'],
    ['PXR-USDC', 'a USD file'],
    ['\x1f\x8b', 'compressed with gzip'],
    ['ply', 'a PLY file'],
  ];
  const found = known.find(([start]) => startsWithBytes(bytes, start))?.[1];
  if (found) return found;
  return firstNonBlankCharacter(bytes) === '<' ? 'a web page or XML' : 'of an unknown kind';
}

/** Whether bytes start with this signature, one byte a character. */
function startsWithBytes(bytes: Uint8Array, start: string): boolean {
  return [...start].every((sign, i) => bytes[i] === sign.charCodeAt(0));
}

/** The first character that is no blank, after a byte order mark. */
function firstNonBlankCharacter(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, 256)).trimStart().charAt(0);
}
