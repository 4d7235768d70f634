// Keeps hair from reflecting the studio's lamps as a bar with hard edges.
import { type Mesh, MeshStandardMaterial, type Object3D } from 'three';

/** The least roughness of hair. Strands scatter light, and a surface in their place reflects it like a helmet. */
export const HAIR_ROUGHNESS = 0.85;

/** Raises the roughness of all hair, by the names of materials and meshes. */
export function makeHairMatt(model: Object3D): void {
  model.traverse((object) => {
    const { material } = object as Partial<Mesh>;
    for (const one of Array.isArray(material) ? material : material ? [material] : []) {
      if (!(one instanceof MeshStandardMaterial)) continue;
      // One surface for all of a head has other parts in its name.
      const isHair = [one.name, object.name].some(
        (name) => /hair|beard|eyebrow/i.test(name) && !/skin|face|eyes/i.test(name),
      );
      if (isHair) one.roughness = Math.max(one.roughness, HAIR_ROUGHNESS);
    }
  });
}
