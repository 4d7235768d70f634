// Avatars that use one feature of glTF each: a mannequin with a green left eye, a blue right eye and a red mouth, whose
// head, blendshapes and skeleton are told from a picture of it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Accessor, Document, type Material, type Node, NodeIO } from '@gltf-transform/core';
import {
  ALL_EXTENSIONS,
  EXTMeshoptCompression,
  EXTTextureAVIF,
  EXTTextureWebP,
  KHRDracoMeshCompression,
  KHRMaterialsUnlit,
  KHRMeshQuantization,
  KHRTextureBasisu,
  KHRTextureTransform,
  type Transform,
} from '@gltf-transform/extensions';
import draco3d from 'draco3dgltf';
import { zipSync } from 'fflate';
import { MeshoptDecoder, MeshoptEncoder } from 'meshoptimizer';

type Vec3 = [number, number, number];

/** How the mannequin is built. */
interface MannequinOptions {
  /** Only the head, without a skeleton. */
  headOnly?: boolean;
  /** A body without a skeleton. */
  withoutSkin?: boolean;
  /** Names of the joints, by their plain name. */
  jointName?: (name: string) => string;
  blendshapeName?: (name: string) => string;
  withoutBlendshapes?: boolean;
  /** The colours are those of vertices. */
  vertexColours?: boolean;
  /** Turns every point of the figure. */
  turned?: (point: Vec3) => Vec3;
  /** Scale of the node above the figure; its points are as much smaller. */
  rootScale?: number;
  /** Factor of the texture coordinates. */
  uvScale?: number;
  /** Vertices of the head along and around. */
  rows?: number;
  texture?: { file: string; mimeType: string };
}

/** Vertices with everything that is stored for them. */
interface Shape {
  points: Vec3[];
  normals: Vec3[];
  uvs: [number, number][];
  joints: string[];
  indices: number[];
}

const HEAD_CENTRE: Vec3 = [0, 1.62, 0.02];
const HEAD_RADII: Vec3 = [0.085, 0.125, 0.1];

/** Joints of the skeleton: name, parent, position. Faces +Z, stands in a T-pose. */
const JOINTS: readonly (readonly [name: string, parent: string | null, at: Vec3])[] = [
  ['Hips', null, [0, 0.95, 0]],
  ['Spine', 'Hips', [0, 1.15, 0]],
  ['Neck', 'Spine', [0, 1.45, 0]],
  ['Head', 'Neck', [0, 1.52, 0]],
  ['LeftEye', 'Head', [0.035, 1.645, 0.1]],
  ['RightEye', 'Head', [-0.035, 1.645, 0.1]],
  ['LeftArm', 'Spine', [0.18, 1.4, 0]],
  ['LeftForeArm', 'LeftArm', [0.45, 1.4, 0]],
  ['RightArm', 'Spine', [-0.18, 1.4, 0]],
  ['RightForeArm', 'RightArm', [-0.45, 1.4, 0]],
  ['LeftUpLeg', 'Hips', [0.1, 0.9, 0]],
  ['LeftFoot', 'LeftUpLeg', [0.1, 0.08, 0]],
  ['LeftToeBase', 'LeftFoot', [0.1, 0.02, 0.14]],
  ['RightUpLeg', 'Hips', [-0.1, 0.9, 0]],
  ['RightFoot', 'RightUpLeg', [-0.1, 0.08, 0]],
  ['RightToeBase', 'RightFoot', [-0.1, 0.02, 0.14]],
];

/** Boxes of the body: joint, centre, size. */
const BODY: readonly (readonly [joint: string, centre: Vec3, size: Vec3])[] = [
  ['Neck', [0, 1.49, 0], [0.1, 0.12, 0.1]],
  ['Spine', [0, 1.2, 0], [0.36, 0.48, 0.2]],
  ['Hips', [0, 0.92, 0], [0.32, 0.14, 0.2]],
  ['LeftArm', [0.32, 1.4, 0], [0.28, 0.1, 0.1]],
  ['LeftForeArm', [0.62, 1.4, 0], [0.34, 0.08, 0.08]],
  ['RightArm', [-0.32, 1.4, 0], [0.28, 0.1, 0.1]],
  ['RightForeArm', [-0.62, 1.4, 0], [0.34, 0.08, 0.08]],
  ['LeftUpLeg', [0.1, 0.47, 0], [0.14, 0.8, 0.16]],
  ['LeftFoot', [0.1, 0.04, 0.05], [0.1, 0.08, 0.24]],
  ['RightUpLeg', [-0.1, 0.47, 0], [0.14, 0.8, 0.16]],
  ['RightFoot', [-0.1, 0.04, 0.05], [0.1, 0.08, 0.24]],
];

/** Blendshapes: name, centre, reach, and how they move what is there. */
const BLENDSHAPES: readonly (readonly [name: string, centre: Vec3, reach: number, by: Vec3])[] = [
  ['eyeBlinkLeft', [0.035, 1.645, 0.11], 0.025, [0, -0.006, 0]],
  ['eyeBlinkRight', [-0.035, 1.645, 0.11], 0.025, [0, -0.006, 0]],
  ['mouthSmileLeft', [0.03, 1.565, 0.11], 0.03, [0.004, 0.006, 0]],
  ['mouthSmileRight', [-0.03, 1.565, 0.11], 0.03, [-0.004, 0.006, 0]],
  ['jawOpen', [0, 1.53, 0.1], 0.05, [0, -0.02, 0]],
  ['tongueOut', [0, 1.56, 0.12], 0.02, [0, 0, 0.02]],
];

const TEXTURES = join(fileURLToPath(import.meta.url), '../textures');

function texture(file: string): Uint8Array {
  return file === 'no-picture.txt' ? new Uint8Array(40) : new Uint8Array(readFileSync(join(TEXTURES, file)));
}

/** The head: an ellipsoid whose front is at the middle of the texture. */
function createHeadShape(rows: number): Shape {
  const columns = rows * 2;
  const shape: Shape = { points: [], normals: [], uvs: [], joints: [], indices: [] };
  for (let row = 0; row <= rows; row += 1)
    for (let column = 0; column <= columns; column += 1) {
      const [v, u] = [row / rows, column / columns];
      const around = (u - 0.5) * 2 * Math.PI;
      const normal: Vec3 = [
        Math.sin(v * Math.PI) * Math.sin(around),
        Math.cos(v * Math.PI),
        Math.sin(v * Math.PI) * Math.cos(around),
      ];
      shape.points.push(normal.map((n, i) => (HEAD_CENTRE[i] ?? 0) + n * (HEAD_RADII[i] ?? 0)) as Vec3);
      shape.normals.push(normal);
      shape.uvs.push([u, v]);
      shape.joints.push('Head');
    }
  for (let row = 0; row < rows; row += 1)
    for (let column = 0; column < columns; column += 1) {
      const a = row * (columns + 1) + column;
      const b = a + columns + 1;
      shape.indices.push(a, b, a + 1, a + 1, b, b + 1);
    }
  return shape;
}

function createBodyShape(): Shape {
  const shape: Shape = { points: [], normals: [], uvs: [], joints: [], indices: [] };
  for (const [joint, centre, size] of BODY)
    for (const axis of [0, 1, 2])
      for (const sign of [-1, 1]) {
        const first = shape.points.length;
        const [one, other] = [(axis + 1) % 3, (axis + 2) % 3] as const;
        for (const [s, t] of [
          [-1, -1],
          [1, -1],
          [1, 1],
          [-1, 1],
        ] as const) {
          const point: Vec3 = [...centre];
          const normal: Vec3 = [0, 0, 0];
          normal[axis] = sign;
          point[axis] = (centre[axis] ?? 0) + (sign * (size[axis] ?? 0)) / 2;
          point[one] = (centre[one] ?? 0) + (s * (size[one] ?? 0)) / 2;
          point[other] = (centre[other] ?? 0) + (t * (size[other] ?? 0)) / 2;
          shape.points.push(point);
          shape.normals.push(normal);
          shape.uvs.push([0.02, 0.95]);
          shape.joints.push(joint);
        }
        const corners = sign > 0 ? [0, 1, 2, 0, 2, 3] : [0, 2, 1, 0, 3, 2];
        shape.indices.push(...corners.map((corner) => first + corner));
      }
  return shape;
}

/** The colour at a place of the texture, as in `textures/face.png`. */
function faceColour([u, v]: [number, number]): Vec3 {
  const within = (cu: number, cv: number) => Math.hypot(u - cu, (v - cv) * 0.6) < 0.045;
  if (within(0.57, 0.42)) return [0.01, 0.5, 0.05];
  if (within(0.43, 0.42)) return [0.01, 0.06, 0.7];
  if (Math.abs(u - 0.5) < 0.08 && Math.abs(v - 0.64) < 0.035) return [0.6, 0.01, 0.02];
  return v < 0.28 ? [0.05, 0.02, 0.01] : [0.75, 0.46, 0.3];
}

/** Builds the mannequin. */
export function createMannequin({
  headOnly = false,
  withoutSkin = headOnly,
  jointName = (name) => name,
  blendshapeName = (name) => name,
  withoutBlendshapes = false,
  vertexColours = false,
  turned = (point) => point,
  rootScale = 1,
  uvScale = 1,
  rows = 24,
  texture: { file, mimeType } = { file: 'face.png', mimeType: 'image/png' },
}: MannequinOptions = {}): Document {
  const document = new Document();
  const buffer = document.createBuffer();
  const place = (point: Vec3) => turned(point).map((n) => n / rootScale) as Vec3;
  const accessor = (
    type: 'SCALAR' | 'VEC2' | 'VEC3' | 'VEC4' | 'MAT4',
    array: Float32Array | Uint16Array | Uint32Array,
  ) =>
    document
      .createAccessor()
      .setType(type)
      .setArray(array as Float32Array<ArrayBuffer>)
      .setBuffer(buffer);

  const root = document.createNode('Armature').setScale([rootScale, rootScale, rootScale]);
  document.createScene().addChild(root);
  const nodes = new Map<string, Node>();
  const joints = withoutSkin ? [] : JOINTS;
  for (const [name, parent, at] of joints) {
    const from = joints.find(([one]) => one === parent)?.[2] ?? [0, 0, 0];
    const [there, here] = [place(at), place(from)];
    const node = document
      .createNode(jointName(name))
      .setTranslation(there.map((n, i) => n - (here[i] ?? 0)) as Vec3);
    (parent === null ? root : (nodes.get(parent) as Node)).addChild(node);
    nodes.set(name, node);
  }
  let skin = null;
  if (!withoutSkin) {
    const inverse = joints.flatMap(([, , at]) => {
      const [x, y, z] = place(at);
      return [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, -x, -y, -z, 1];
    });
    skin = document.createSkin().setInverseBindMatrices(accessor('MAT4', new Float32Array(inverse)));
    for (const [name] of joints) skin.addJoint(nodes.get(name) as Node);
  }
  const material = document.createMaterial('Skin').setMetallicFactor(0).setRoughnessFactor(0.8);
  if (!vertexColours)
    material.setBaseColorTexture(
      document.createTexture('Face').setImage(texture(file)).setMimeType(mimeType),
    );

  const addMesh = (name: string, shape: Shape, blendshapes: typeof BLENDSHAPES): void => {
    const floats = (type: 'VEC2' | 'VEC3', rows: readonly (readonly number[])[]) =>
      accessor(type, new Float32Array(rows.flat()));
    const primitive = document
      .createPrimitive()
      .setIndices(accessor('SCALAR', new Uint16Array(shape.indices)))
      .setAttribute('POSITION', floats('VEC3', shape.points.map(place)))
      .setAttribute('NORMAL', floats('VEC3', shape.normals.map(turned)))
      .setAttribute(
        'TEXCOORD_0',
        floats(
          'VEC2',
          shape.uvs.map(([u, v]) => [u * uvScale, v * uvScale]),
        ),
      )
      .setMaterial(material);
    if (vertexColours) primitive.setAttribute('COLOR_0', floats('VEC3', shape.uvs.map(faceColour)));
    if (!withoutSkin) {
      const indices = shape.joints.flatMap((one) => [joints.findIndex(([joint]) => joint === one), 0, 0, 0]);
      const weights = shape.joints.flatMap(() => [1, 0, 0, 0]);
      primitive.setAttribute('JOINTS_0', accessor('VEC4', new Uint16Array(indices)));
      primitive.setAttribute('WEIGHTS_0', accessor('VEC4', new Float32Array(weights)));
    }
    const mesh = document.createMesh(name).addPrimitive(primitive);
    for (const [blendshape, centre, reach, by] of blendshapes) {
      const moved = shape.points.map((point) => {
        const distance = Math.hypot(...point.map((n, i) => n - (centre[i] ?? 0)));
        const share = Math.max(0, 1 - distance / reach);
        return place(by.map((n) => n * share) as Vec3);
      });
      primitive.addTarget(
        document
          .createPrimitiveTarget(blendshapeName(blendshape))
          .setAttribute('POSITION', floats('VEC3', moved)),
      );
    }
    mesh.setWeights(blendshapes.map(() => 0));
    const node = document.createNode(name).setMesh(mesh);
    if (skin) node.setSkin(skin);
    root.addChild(node);
  };
  addMesh('Face', createHeadShape(rows), withoutBlendshapes ? [] : BLENDSHAPES);
  if (!headOnly) addMesh('Body', createBodyShape(), []);
  return document;
}

/** Reads and writes documents with every extension. */
async function createIo(): Promise<NodeIO> {
  await MeshoptEncoder.ready;
  return new NodeIO().registerExtensions(ALL_EXTENSIONS).registerDependencies({
    'draco3d.encoder': await draco3d.createEncoderModule(),
    'draco3d.decoder': await draco3d.createDecoderModule(),
    'meshopt.encoder': MeshoptEncoder,
    'meshopt.decoder': MeshoptDecoder,
  });
}

/** The GLB with compressed meshes. */
export async function compressGlb(glb: Uint8Array, by: 'draco' | 'meshopt'): Promise<Buffer> {
  const io = await createIo();
  const document = await io.readBinary(new Uint8Array(glb));
  if (by === 'draco') document.createExtension(KHRDracoMeshCompression).setRequired(true);
  else document.createExtension(EXTMeshoptCompression).setRequired(true);
  return Buffer.from(await io.writeBinary(document));
}

/** Changes the JSON of a GLB. */
function editGlb(glb: Uint8Array, edit: (gltf: EditableGltf) => void, padding = 0x20): Buffer {
  const bytes = Buffer.from(glb);
  const length = bytes.readUInt32LE(12);
  const gltf = JSON.parse(bytes.toString('utf8', 20, 20 + length)) as EditableGltf;
  edit(gltf);
  const json = Buffer.from(JSON.stringify(gltf));
  const padded = Buffer.concat([json, Buffer.alloc(((4 - (json.length % 4)) % 4) + 4, padding)]);
  const head = Buffer.from(bytes.subarray(0, 20));
  const rest = bytes.subarray(20 + length);
  head.writeUInt32LE(20 + padded.length + rest.length, 8);
  head.writeUInt32LE(padded.length, 12);
  return Buffer.concat([head, padded, rest]);
}

/** What the tests change in a document. */
interface EditableGltf {
  scene?: number;
  scenes?: unknown;
  extensionsUsed?: string[];
  extensionsRequired?: string[];
  extensions?: Record<string, unknown>;
  nodes: { name?: string; rotation?: number[]; mesh?: number }[];
  meshes: {
    extras?: { targetNames?: string[] };
    primitives: { extras?: object; attributes: Record<string, number> }[];
  }[];
  accessors: { count: number; min?: number[]; max?: number[] }[];
  images?: { uri?: string }[];
  buffers: { uri?: string }[];
  animations?: unknown;
}

/** Stores positions as 16-bit integers. */
function quantizePositions(document: Document): void {
  document.createExtension(KHRMeshQuantization).setRequired(true);
  const seen = new Set<Accessor>();
  const quantize = (accessor: Accessor | null) => {
    if (!accessor || seen.has(accessor)) return;
    seen.add(accessor);
    const values = accessor.getArray() as Float32Array;
    accessor
      .setArray(Int16Array.from(values, (value) => Math.round((value / 2) * 32767)))
      .setNormalized(true);
  };
  for (const mesh of document.getRoot().listMeshes())
    for (const primitive of mesh.listPrimitives())
      for (const part of [primitive, ...primitive.listTargets()]) quantize(part.getAttribute('POSITION'));
  // Two metres are one unit.
  document.getRoot().listScenes()[0]?.listChildren()[0]?.setScale([2, 2, 2]);
}

/** Makes the accessors of the blendshapes sparse. */
function makeSparse(document: Document): void {
  for (const mesh of document.getRoot().listMeshes())
    for (const primitive of mesh.listPrimitives())
      for (const target of primitive.listTargets()) target.getAttribute('POSITION')?.setSparse(true);
}

/** A normal for each second blendshape. */
function giveSomeNormals(document: Document): void {
  const [buffer] = document.getRoot().listBuffers();
  for (const mesh of document.getRoot().listMeshes())
    for (const primitive of mesh.listPrimitives())
      primitive.listTargets().forEach((target, i) => {
        const count = primitive.getAttribute('POSITION')?.getCount() ?? 0;
        if (i % 2 === 0 || !buffer) return;
        const array = new Float32Array(count * 3);
        target.setAttribute(
          'NORMAL',
          document.createAccessor().setType('VEC3').setArray(array).setBuffer(buffer),
        );
      });
}

/** A second skin with the same joints, for the body. */
function splitSkins(document: Document): void {
  const [skin] = document.getRoot().listSkins();
  const body = document
    .getRoot()
    .listNodes()
    .find((node) => node.getName() === 'Body');
  if (skin && body) body.setSkin(skin.clone());
}

const underscored = (name: string) => name.replace(/Left$/, '_L').replace(/Right$/, '_R');
/** A quarter turn by which Z becomes the axis upwards. */
const toZUp = ([x, y, z]: Vec3): Vec3 => [x, -z, y];
const facingBack = ([x, y, z]: Vec3): Vec3 => [-x, y, -z];

/** A file, and what the screen does with it: shows the face, or says why not. */
export interface FeatureAvatar {
  bytes: Buffer;
  /** Text of the reason for the operator; null where the face is shown. */
  reason: RegExp | null;
}

/** One file of each feature, by a name that says it. */
export async function createFeatureAvatars(): Promise<Map<string, FeatureAvatar>> {
  const io = await createIo();
  const avatars = new Map<string, FeatureAvatar>();
  const add = (name: string, bytes: Uint8Array, reason: RegExp | null = null) =>
    avatars.set(name, { bytes: Buffer.from(bytes), reason });
  const write = async (
    name: string,
    options: MannequinOptions = {},
    change: (document: Document) => void = () => {},
  ): Promise<Uint8Array> => {
    const document = createMannequin(options);
    change(document);
    const bytes = await io.writeBinary(document);
    add(name, bytes);
    return bytes;
  };
  const requireExtension = (document: Document, extension: Parameters<Document['createExtension']>[0]) =>
    document.createExtension(extension).setRequired(true);
  const eachMaterial = (document: Document, change: (material: Material) => void) =>
    document.getRoot().listMaterials().forEach(change);

  const plain = await write('plain.glb');
  await write('head-only.glb', { headOnly: true });
  await write('meshopt.glb', {}, (document) => {
    requireExtension(document, EXTMeshoptCompression);
  });
  await write('draco.glb', {}, (document) => {
    requireExtension(document, KHRDracoMeshCompression);
  });
  await write('draco-head-only.glb', { headOnly: true, withoutBlendshapes: true }, (document) => {
    requireExtension(document, KHRDracoMeshCompression);
  });
  await write('quantized.glb', { withoutSkin: true }, quantizePositions);
  await write('quantized-meshopt.glb', { withoutSkin: true }, (document) => {
    quantizePositions(document);
    requireExtension(document, EXTMeshoptCompression);
  });
  for (const kind of ['etc1s', 'uastc'])
    await write(
      `ktx2-${kind}.glb`,
      { texture: { file: `face-${kind}.ktx2`, mimeType: 'image/ktx2' } },
      (document) => {
        requireExtension(document, KHRTextureBasisu);
      },
    );
  await write('webp.glb', { texture: { file: 'face.webp', mimeType: 'image/webp' } }, (document) => {
    requireExtension(document, EXTTextureWebP);
  });
  await write('avif.glb', { texture: { file: 'face.avif', mimeType: 'image/avif' } }, (document) => {
    requireExtension(document, EXTTextureAVIF);
  });
  await write('exif-orientation.glb', {
    texture: { file: 'face-exif-turned.jpg', mimeType: 'image/jpeg' },
  });
  await write('sparse.glb', {}, makeSparse);
  await write('unlit.glb', {}, (document) => {
    const unlit = document.createExtension(KHRMaterialsUnlit).setRequired(true);
    eachMaterial(document, (material) => material.setExtension('KHR_materials_unlit', unlit.createUnlit()));
  });
  await write('texture-transform.glb', { uvScale: 2 }, (document) => {
    const extension = document.createExtension(KHRTextureTransform).setRequired(true);
    const half = extension.createTransform().setScale([0.5, 0.5]);
    eachMaterial(document, (material) =>
      material.getBaseColorTextureInfo()?.setExtension<Transform>('KHR_texture_transform', half),
    );
  });
  await write('vertex-colours.glb', { vertexColours: true });
  await write('some-morph-normals.glb', {}, giveSomeNormals);
  await write('several-skins.glb', {}, splitSkins);
  await write('names-underscore.glb', { blendshapeName: underscored });
  await write('names-capital.glb', {
    blendshapeName: (name) => name.replace(/^./, (sign) => sign.toUpperCase()),
  });
  await write('names-prefix.glb', { blendshapeName: (name) => `head.${name}` });
  await write('joints-mixamo.glb', { jointName: (name) => `mixamorig:${name}` });
  await write('no-skin.glb', { withoutSkin: true });
  await write('no-skin-no-blendshapes.glb', { withoutSkin: true, withoutBlendshapes: true });
  await write('root-times-100.glb', { rootScale: 100 });
  await write('root-by-100.glb', { rootScale: 0.01 });
  await write('z-up.glb', { turned: toZUp });
  await write('z-up-no-skin.glb', { turned: toZUp, withoutSkin: true });
  await write('z-up-head-only.glb', { turned: toZUp, headOnly: true });
  await write('faces-back.glb', { turned: facingBack });

  const namesInPrimitive = editGlb(plain, ({ meshes }) => {
    for (const mesh of meshes)
      for (const primitive of mesh.primitives) {
        if (mesh.extras) primitive.extras = mesh.extras;
        delete mesh.extras;
      }
  });
  add('names-in-primitive.glb', namesInPrimitive);
  add(
    'json-padded-with-zeros.glb',
    editGlb(plain, () => {}, 0),
  );
  add('trailing-bytes.glb', Buffer.concat([plain, Buffer.from('trailing bytes')]));
  add(
    'no-scenes.glb',
    editGlb(plain, (gltf) => {
      delete gltf.scene;
      delete gltf.scenes;
    }),
  );
  add(
    'animation-without-node.glb',
    editGlb(plain, (gltf) => {
      gltf.animations = [{ channels: [{ sampler: 0, target: { path: 'weights' } }], samplers: [] }];
    }),
  );
  add(
    'vrm0.glb',
    editGlb(
      await write('vrm0-base.glb', { turned: facingBack, jointName: (name) => `J_${name}` }),
      (gltf) => {
        gltf.extensionsUsed = ['VRM'];
        gltf.extensions = { VRM: { humanoid: { humanBones: [{ bone: 'head', node: 4 }] } } };
      },
    ),
  );
  avatars.delete('vrm0-base.glb');
  add(
    'vrm1.glb',
    editGlb(plain, (gltf) => {
      gltf.extensionsUsed = ['VRMC_vrm'];
      gltf.extensionsRequired = ['VRMC_vrm'];
      gltf.extensions = { VRMC_vrm: { specVersion: '1.0', humanoid: { humanBones: { head: { node: 4 } } } } };
    }),
  );

  const { json, resources } = await io.writeJSON(createMannequin(), { basename: 'avatar' });
  const embedded = structuredClone(json) as unknown as EditableGltf;
  for (const one of [...embedded.buffers, ...(embedded.images ?? [])])
    if (one.uri !== undefined)
      one.uri = `data:application/octet-stream;base64,${Buffer.from(resources[one.uri] ?? []).toString('base64')}`;
  add('embedded.gltf', Buffer.from(JSON.stringify(embedded)));
  const beside = Object.fromEntries(
    Object.entries(resources).map(([name, bytes]) => [`avatar/${name}`, new Uint8Array(bytes)]),
  );
  const text = new TextEncoder().encode(JSON.stringify(json));
  add('gltf.zip', zipSync({ 'avatar/avatar.gltf': text, ...beside, '__MACOSX/avatar/._avatar.gltf': text }));
  add('glb.zip', zipSync({ 'readme.txt': new Uint8Array(9), 'out/me.glb': plain }));

  const refused = (gltf: EditableGltf) => {
    gltf.extensionsUsed = ['KHR_gaussian_splatting'];
    gltf.extensionsRequired = ['KHR_gaussian_splatting'];
  };
  add(
    'unknown-extension.glb',
    editGlb(plain, refused),
    /needs KHR_gaussian_splatting, which this screen cannot show/,
  );
  add('missing-buffer.gltf', Buffer.from(JSON.stringify(json)), /needs “.*\.bin”, which was not delivered/);
  add(
    'no-picture.glb',
    await io.writeBinary(createMannequin({ texture: { file: 'no-picture.txt', mimeType: 'image/png' } })),
    /No picture of its surface can be decoded/,
  );
  add('only-fbx.zip', zipSync({ 'avatar.fbx': new Uint8Array(9) }), /contains no glTF file/);
  add('fbx.glb', Buffer.from('Kaydara FBX Binary  \0'), /is an FBX file/);
  add('cut.glb', Buffer.from(plain.subarray(0, plain.length / 2)), /shorter than its description/);
  const glTF1 = Buffer.from(plain);
  glTF1.writeUInt32LE(1, 4);
  add('gltf1.glb', glTF1, /glTF 1\.0/);
  add('broken-draco.glb', corruptBinary(avatars.get('draco-head-only.glb')?.bytes ?? Buffer.alloc(0)), /\S/);
  return avatars;
}

/** The GLB with zeros in its binary part. */
function corruptBinary(glb: Buffer): Buffer {
  const broken = Buffer.from(glb);
  broken.fill(0, 20 + glb.readUInt32LE(12) + 8);
  return broken;
}
