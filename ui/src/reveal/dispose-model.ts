import { type Material, type Object3D, Texture } from 'three';

/** Releases everything that a model holds on the graphics card, and its decoded images. */
export function disposeModel(root: Object3D): void {
  const textures = new Set<Texture>();
  const materials = new Set<Material>();
  root.traverse((object) => {
    const { geometry, material, skeleton } = object as Partial<{
      geometry: { dispose(): void };
      material: Material | Material[];
      skeleton: { dispose(): void };
    }>;
    geometry?.dispose();
    skeleton?.dispose();
    for (const one of Array.isArray(material) ? material : material ? [material] : []) materials.add(one);
  });
  for (const material of materials) {
    for (const value of Object.values(material)) if (value instanceof Texture) textures.add(value);
    material.dispose();
  }
  for (const texture of textures) {
    closeBitmap(texture.image);
    texture.dispose();
  }
}

/** Releases a decoded image, if it is one. */
export function closeBitmap(image: unknown): void {
  if (typeof ImageBitmap !== 'undefined' && image instanceof ImageBitmap) image.close();
}
