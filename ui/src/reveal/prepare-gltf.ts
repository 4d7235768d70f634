// Makes an avatar lighter before it is read: it brings some fifty blendshapes, of which a few are ever moved. What is
// not named any more is not read, not given to the graphics card and not kept. Pure.
import type { Gltf } from './glb-file';

/** The same document with no blendshapes but those in `kept`. */
export function prepareGltf(gltf: Gltf, kept: ReadonlySet<string>): Gltf {
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
  // These count blendshapes by their old places; the stage plays its own faces anyway.
  const { animations: _, ...rest } = gltf;
  return {
    ...rest,
    meshes,
    ...(gltf.nodes ? { nodes: gltf.nodes.map(({ weights: __, ...node }) => node) } : {}),
  };
}
