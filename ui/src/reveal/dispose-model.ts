import { type BufferGeometry, DataArrayTexture, type Material, type Object3D, Texture } from 'three';

/**
 * Releases everything that a model holds on the graphics card, its decoded images, and the memory of its points and
 * blendshapes. An avatar has tens of megabytes of them, and the next garbage collection can be many visitors away.
 */
export function disposeModel(root: Object3D): void {
  const textures = new Set<Texture>();
  const materials = new Set<Material>();
  const geometries = new Set<BufferGeometry>();
  root.traverse((object) => {
    const { geometry, material, skeleton } = object as Partial<{
      geometry: BufferGeometry;
      material: Material | Material[];
      skeleton: { dispose(): void };
    }>;
    if (geometry) geometries.add(geometry);
    skeleton?.dispose();
    for (const one of Array.isArray(material) ? material : material ? [material] : []) materials.add(one);
  });
  for (const geometry of geometries) {
    geometry.dispose();
    for (const array of arraysOfGeometry(geometry)) releaseBuffer(array);
  }
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

/** The arrays of a geometry's attributes and blendshapes. Some share a buffer. */
function arraysOfGeometry({ attributes, morphAttributes, index }: BufferGeometry): ArrayBufferView[] {
  const all = [...Object.values(attributes), ...Object.values(morphAttributes).flat(), index];
  return all.flatMap((attribute) => {
    if (!attribute) return [];
    return 'data' in attribute ? [attribute.data.array] : [attribute.array];
  });
}

/** Releases the memory of a buffer at once: it is empty afterwards. Without effect in WebKit before 17.4. */
export function releaseBuffer({ buffer }: ArrayBufferView): void {
  // An empty buffer may have been released before, which `transfer` refuses.
  if (buffer.byteLength > 0) (buffer as TransferableBuffer).transfer?.(0);
}

/** A buffer as of ES2024. */
interface TransferableBuffer {
  transfer?(newByteLength: number): ArrayBuffer;
}

// three.js makes a texture of a geometry's blendshapes, which is larger than they are, and disposes of it with the
// geometry. Only three.js has it, so its memory can be released here only.
const disposeTexture = DataArrayTexture.prototype.dispose;
DataArrayTexture.prototype.dispose = function (this: DataArrayTexture) {
  disposeTexture.call(this);
  const { data } = this.image as { data: ArrayBufferView | null };
  if (data) releaseBuffer(data);
};
