// What a document needs, and whether this screen can show it.
import type { Gltf, GltfExtensions } from './gltf';

/** Extensions that `GLTFLoader` of three 0.187.0 or this folder implements. */
const SHOWN_EXTENSIONS: ReadonlySet<string> = new Set([
  'KHR_draco_mesh_compression',
  'EXT_meshopt_compression',
  'KHR_meshopt_compression',
  'KHR_mesh_quantization',
  'KHR_texture_basisu',
  'KHR_texture_transform',
  'EXT_texture_webp',
  'EXT_texture_avif',
  'EXT_mesh_gpu_instancing',
]);

/**
 * Extensions that only refine a figure which is right without them: how its surface shines, who may use it, how it
 * behaves. Lights, cameras and animations are the stage's own.
 */
const REFINING_EXTENSIONS =
  /^(KHR_(materials|lights|xmp|animation|audio|physics|node|interactivity)|EXT_(materials|lights)|MSFT_(lod|packing)|VRM|FB_ngon|ADOBE_materials|NV_materials)/;

/** Names of all extensions that occur where they change the figure, listed in the document or not. */
export function findUsedExtensions(gltf: Gltf): Set<string> {
  const used = new Set<string>();
  const add = (all: readonly { extensions?: GltfExtensions }[] | undefined) => {
    for (const one of all ?? []) for (const name of Object.keys(one.extensions ?? {})) used.add(name);
  };
  for (const name of Array.isArray(gltf.extensionsUsed) ? gltf.extensionsUsed : []) used.add(String(name));
  add(gltf.bufferViews);
  add(gltf.textures);
  add(gltf.materials);
  add(gltf.nodes);
  for (const { primitives } of gltf.meshes ?? []) add(primitives);
  if (JSON.stringify(gltf.materials ?? []).includes('"KHR_texture_transform"'))
    used.add('KHR_texture_transform');
  return used;
}

/** Required extensions without which the figure cannot be shown. */
export function findUnsupportedExtensions(gltf: Gltf): string[] {
  const required = Array.isArray(gltf.extensionsRequired) ? gltf.extensionsRequired.map(String) : [];
  return required.filter((name) => !SHOWN_EXTENSIONS.has(name) && !REFINING_EXTENSIONS.test(name));
}
