// The parts of a glTF document that are read. All may be missing or wrong: the file comes from elsewhere.

/** Extensions of an object, by name. */
export type GltfExtensions = Record<string, unknown>;

/** A glTF document. */
export interface Gltf {
  asset?: { version?: string; minVersion?: string };
  extensionsUsed?: string[];
  extensionsRequired?: string[];
  extensions?: GltfExtensions;
  scene?: number;
  scenes?: { nodes?: number[] }[];
  nodes?: GltfNode[];
  meshes?: GltfMesh[];
  skins?: { joints?: number[]; inverseBindMatrices?: number }[];
  materials?: GltfMaterial[];
  textures?: GltfTexture[];
  images?: GltfImage[];
  accessors?: GltfAccessor[];
  bufferViews?: GltfBufferView[];
  buffers?: { uri?: string; byteLength?: number; extensions?: GltfExtensions }[];
  animations?: unknown;
  cameras?: unknown;
}

/** A node of a glTF document. */
export interface GltfNode {
  name?: string;
  children?: number[];
  mesh?: number;
  skin?: number;
  camera?: number;
  weights?: number[];
  rotation?: number[];
  extensions?: GltfExtensions;
  extras?: unknown;
}

/** A mesh of a glTF document. */
export interface GltfMesh {
  primitives: GltfPrimitive[];
  weights?: number[];
  extras?: { targetNames?: unknown };
}

/** A part of a mesh with one material. */
export interface GltfPrimitive {
  attributes?: Record<string, number>;
  indices?: number;
  mode?: number;
  material?: number;
  /** The blendshapes: for each, the accessors of what it moves. */
  targets?: Record<string, number>[];
  extensions?: GltfExtensions;
  extras?: { targetNames?: unknown };
}

/** A material of a glTF document. */
export interface GltfMaterial {
  pbrMetallicRoughness?: Record<string, unknown>;
  extensions?: GltfExtensions;
}

/** A texture of a glTF document. */
export interface GltfTexture {
  source?: number;
  sampler?: number;
  extensions?: GltfExtensions;
}

/** An image of a glTF document. */
export interface GltfImage {
  bufferView?: number;
  uri?: string;
  mimeType?: string;
}

/** An accessor of a glTF document. */
export interface GltfAccessor {
  name?: string;
  count?: number;
  type?: string;
  componentType?: number;
  bufferView?: number;
  byteOffset?: number;
  /** Values that replace some of the others. */
  sparse?: { indices?: { bufferView?: number }; values?: { bufferView?: number } };
}

/** A range of bytes of a buffer. */
export interface GltfBufferView {
  buffer?: number;
  byteOffset?: number;
  byteLength?: number;
  byteStride?: number;
  extensions?: GltfExtensions;
}
