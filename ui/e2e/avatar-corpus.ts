// The files of `tests/avatars`, which `cargo xtask test` builds into the folder AVATAR_CORPUS.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file of the corpus, as `corpus.json` lists it. */
export interface CorpusFile {
  name: string;
  /** What it shows; null for a figure that is not made there. */
  figure: 'head' | 'outline of the head' | 'mannequin' | null;
  /** The verdict of `copresence validate`; a file that fails may be shown with faults. */
  expected: 'valid' | 'warn' | 'fail';
  /** Why the reveal does not show it; null when it does. */
  notShown: string | null;
}

/** The corpus, and its files by name. */
export function readAvatarCorpus(): { files: CorpusFile[]; bytes: Map<string, Buffer> } {
  const folder = process.env.AVATAR_CORPUS;
  if (!folder)
    throw new Error('AVATAR_CORPUS=FOLDER is not set; docs/avatars.md says how to build the folder');
  const files = JSON.parse(readFileSync(join(folder, 'corpus.json'), 'utf8')) as CorpusFile[];
  const bytes = new Map<string, Buffer>();
  for (const name of readdirSync(folder)) bytes.set(name, readFileSync(join(folder, name)));
  return { files, bytes };
}
