// Decoders of compressed meshes and textures. They come with the program, run in workers, and are loaded only for a file
// that needs them. Written against three 0.187.0.
import { type BufferGeometry, LoadingManager, type WebGLRenderer } from 'three';
import type { MeshoptDecoder } from 'three/addons/libs/meshopt_decoder.module.js';
import type { DRACOLoader } from 'three/addons/loaders/DRACOLoader.js';
import type { KTX2Loader } from 'three/addons/loaders/KTX2Loader.js';
import { DracoBudget } from './draco-limits';
import { Ktx2Budget } from './ktx2-limits';

/** The decoders that a file needs; null for others. */
export interface Decoders {
  draco: DRACOLoader | null;
  ktx2: KTX2Loader | null;
  meshopt: typeof MeshoptDecoder | null;
  /** Ends their workers. */
  close(): void;
}

/** Workers of each decoder. The screen needs a processor too. */
const WORKER_COUNT = 2;

/** A WebAssembly module with nothing in it. */
const EMPTY_MODULE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** Loads the decoders for files that use these extensions. Rejects with the reason when they cannot run. */
export async function loadDecoders(
  extensions: ReadonlySet<string>,
  renderer: WebGLRenderer,
): Promise<Decoders> {
  const uses = (name: string) => extensions.has(name);
  const isMeshopt = uses('EXT_meshopt_compression') || uses('KHR_meshopt_compression');
  const needed = [...extensions].filter((name) => /draco|meshopt_compression|basisu/.test(name));
  if (needed.length > 0) await requireWebAssembly(needed);
  const [draco, ktx2, meshopt] = await Promise.all([
    uses('KHR_draco_mesh_compression') ? createDracoDecoder() : null,
    uses('KHR_texture_basisu') ? createKtx2Decoder(renderer) : null,
    isMeshopt ? createMeshoptDecoder() : null,
  ]);
  return {
    draco,
    ktx2: ktx2?.loader ?? null,
    meshopt,
    close() {
      // Without workers to start, what is still under way ends, too.
      draco?.setWorkerLimit(0).dispose();
      ktx2?.close();
      meshopt?.useWorkers(0);
    },
  };
}

/**
 * Rejects if the view refuses WebAssembly, without which the decoders' workers would never answer. The error
 * names the `needed` extensions.
 */
async function requireWebAssembly(needed: string[]): Promise<void> {
  try {
    await WebAssembly.instantiate(EMPTY_MODULE);
  } catch (error) {
    throw new Error(`the file needs ${needed.join(' and ')}, and this view refuses WebAssembly: ${error}`);
  }
}

/** Creates the decoder of Draco meshes, which refuses meshes that unpack to too much. */
async function createDracoDecoder(): Promise<DRACOLoader> {
  const { DRACOLoader, DRACO_GLTF_CONFIG } = await import('three/addons/loaders/DRACOLoader.js');
  return makeDracoLoaderRefuseLargeMeshes(
    new DRACOLoader().setDecoderPath(DRACO_GLTF_CONFIG).setWorkerLimit(WORKER_COUNT),
  );
}

/** The method of `DRACOLoader` that its type declarations leave out. */
interface DracoGeometryDecoder {
  decodeGeometry(file: ArrayBuffer, task: object): Promise<BufferGeometry>;
}

/** Lets the loader refuse meshes that unpack to too much. */
function makeDracoLoaderRefuseLargeMeshes(loader: DRACOLoader): DRACOLoader {
  const decoder = loader as unknown as DracoGeometryDecoder;
  const decode = decoder.decodeGeometry.bind(loader);
  const budget = new DracoBudget();
  decoder.decodeGeometry = async (file, task) => {
    // A file that is decoded already has been moved to the worker.
    if (file.byteLength > 0) budget.countMesh(new Uint8Array(file));
    return decode(file, task);
  };
  return loader;
}

/** Loads the decoder of meshopt compression, and starts its workers. */
async function createMeshoptDecoder(): Promise<typeof MeshoptDecoder> {
  const { MeshoptDecoder: decoder } = await import('three/addons/libs/meshopt_decoder.module.js');
  await decoder.ready;
  decoder.useWorkers(WORKER_COUNT);
  return decoder;
}

/** Creates the decoder of KTX2 textures, with a transcoder that needs no `eval`. `close` releases both. */
async function createKtx2Decoder(renderer: WebGLRenderer): Promise<{ loader: KTX2Loader; close(): void }> {
  const [{ KTX2Loader }, { default: transcoderUrl }, { removeEvalFromTranscoder }] = await Promise.all([
    import('three/addons/loaders/KTX2Loader.js'),
    import('three/examples/jsm/libs/basis/basis_transcoder.js?url'),
    import('./basis-without-eval'),
  ]);
  const source = removeEvalFromTranscoder(await (await fetch(transcoderUrl)).text());
  const replaced = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const manager = new LoadingManager();
  manager.setURLModifier((url) => (/basis_transcoder[^/]*\.js$/.test(url) ? replaced : url));
  const loader = makeKtx2LoaderRefuseLargeTextures(
    new KTX2Loader(manager).detectSupport(renderer).setWorkerLimit(WORKER_COUNT),
  );
  return {
    loader,
    close() {
      loader.setWorkerLimit(0).dispose();
      URL.revokeObjectURL(replaced);
    },
  };
}

/** Lets the loader refuse textures that unpack to too much. */
function makeKtx2LoaderRefuseLargeTextures(loader: KTX2Loader): KTX2Loader {
  const parse = loader.parse.bind(loader);
  const budget = new Ktx2Budget();
  loader.parse = (file, onLoad, onError) => {
    try {
      // A file that is transcoded already has been moved to the worker.
      if (file.byteLength > 0) budget.countTexture(new Uint8Array(file));
    } catch (error) {
      onError?.(error);
      return;
    }
    parse(file, onLoad, onError);
  };
  return loader;
}
