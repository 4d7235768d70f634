// Removes unused blendshapes from a glTF document before it is loaded: an avatar has about fifty, of which a few are
// animated. What is no longer referenced is neither read nor uploaded.
import type { Gltf } from './glb-file';

/** The same document with no blendshapes but those in `kept`. */
export function removeUnusedBlendshapes(gltf: Gltf, kept: ReadonlySet<string>): Gltf {
  let spared = false;
  const meshes = gltf.meshes?.map((mesh) => {
    const names = mesh.extras?.targetNames;
    if (!Array.isArray(names) || mesh.primitives.some(({ targets }) => targets?.length !== names.length))
      return mesh;
    const stays = names.map((name) => kept.has(String(name)));
    if (stays.every(Boolean)) return mesh;
    const those = <T>(all: T[]) => all.filter((_, i) => stays[i]);
    spared = true;
    return {
      ...mesh,
      primitives: mesh.primitives.map(({ targets, ...rest }) => {
        const left = those(targets ?? []);
        return left.length > 0 ? { ...rest, targets: left } : rest;
      }),
      ...(mesh.weights ? { weights: those(mesh.weights) } : {}),
      extras: { ...mesh.extras, targetNames: those(names) },
    };
  });
  if (!spared || !meshes) return gltf;
  // These refer to blendshapes by their old index. The stage plays its own animations anyway.
  const { animations: _, ...rest } = gltf;
  return {
    ...rest,
    meshes,
    ...(gltf.nodes ? { nodes: gltf.nodes.map(({ weights: __, ...node }) => node) } : {}),
  };
}
