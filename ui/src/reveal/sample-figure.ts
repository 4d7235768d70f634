// Samples the vertices of an avatar: where they are, what carries them, and where the blendshapes of its face act.
import { type BufferAttribute, Mesh, type Object3D, SkinnedMesh, Vector3 } from 'three';
import type { JointRole } from './joint-roles';
import { FrameYieldTimer } from './next-frame';
import { arkitNamesOfLoadedBlendshape } from './prepare-gltf';

/** Maximum number of vertices that are looked at. */
const MAX_SAMPLES = 16_000;

/** A part of the face, by the blendshape that moves it. */
export type FacePart = 'eyeBlinkLeft' | 'eyeBlinkRight' | 'mouthSmileLeft' | 'mouthSmileRight' | 'jawOpen';
const FACE_PARTS: readonly FacePart[] = [
  'eyeBlinkLeft',
  'eyeBlinkRight',
  'mouthSmileLeft',
  'mouthSmileRight',
  'jawOpen',
];

/**
 * Points sampled from a figure's vertices, with its joints and the middles of the parts of its face, in world
 * coordinates.
 */
export interface SampledFigure {
  /** The sampled vertices. */
  points: Vector3[];
  /** For each of them, whether a joint of the head carries it, or its mesh is called head or face. */
  isOfHead: boolean[];
  joints: Map<JointRole, Object3D>;
  /** The middle of each part of the face. */
  face: Map<FacePart, Vector3>;
}

/**
 * Samples vertices, joints and face parts of a model, in steps between frames. Rejects when the signal
 * aborts.
 */
export async function sampleModelGeometry(model: Object3D, signal: AbortSignal): Promise<SampledFigure> {
  model.updateMatrixWorld(true);
  const joints = new Map<JointRole, Object3D>();
  const meshes: Mesh[] = [];
  model.traverse((object) => {
    const { joint } = object.userData as { joint?: JointRole };
    if (joint !== undefined) joints.set(joint, object);
    if (object instanceof Mesh && isMeshDrawable(object)) meshes.push(object);
  });
  const total = meshes.reduce((sum, mesh) => sum + (mesh.geometry.attributes.position?.count ?? 0), 0);
  const step = Math.max(1, Math.ceil(total / MAX_SAMPLES));
  const head = joints.get('head') ?? null;
  const sums = new Map<FacePart, { weight: number; at: Vector3 }>();
  const sampled: SampledFigure = { points: [], isOfHead: [], joints, face: new Map() };
  const frameBudget = new FrameYieldTimer();
  const delta = new Vector3();
  for (const mesh of meshes) {
    const parts = findFacePartBlendshapes(mesh);
    const isHeadMesh = head === null && isMeshNamedHeadOrFace(mesh);
    const ofHead = head === null ? null : flagJointsAtOrBelow(mesh, head);
    const isBelowHead = head !== null && isSameOrDescendant(mesh, head);
    const { count } = mesh.geometry.attributes.position as BufferAttribute;
    if (mesh instanceof SkinnedMesh && refersToMissingJoint(mesh))
      throw new Error('the file is no valid glTF: its skeleton lacks a joint that moves a part of it');
    for (let vertex = 0; vertex < count; vertex += step) {
      const point = mesh.getVertexPosition(vertex, new Vector3()).applyMatrix4(mesh.matrixWorld);
      if (!Number.isFinite(point.x + point.y + point.z)) continue;
      sampled.points.push(point);
      sampled.isOfHead.push(
        isHeadMesh || (ofHead ? isVertexMovedMostlyBy(mesh, vertex, ofHead) : isBelowHead),
      );
      for (const [part, moved] of parts) {
        // Squared, because many files move every vertex a little.
        const weight = delta.fromBufferAttribute(moved, vertex).lengthSq();
        if (weight === 0) continue;
        const sum = sums.get(part) ?? { weight: 0, at: new Vector3() };
        sum.weight += weight;
        sum.at.addScaledVector(point, weight);
        sums.set(part, sum);
      }
      if (vertex % 64 === 0) await frameBudget.waitIfUsedUp();
    }
    signal.throwIfAborted();
  }
  for (const [part, { weight, at }] of sums) if (weight > 0) sampled.face.set(part, at.divideScalar(weight));
  return sampled;
}

/** Whether a mesh has a vertex, and its indices, if it has any, name at least one that exists. */
function isMeshDrawable({ geometry: { attributes, index } }: Mesh): boolean {
  const count = attributes.position?.count ?? 0;
  if (!index) return count > 0;
  for (let i = 0; i < index.count; i += 1) if (index.getX(i) < count) return true;
  return false;
}

/** The blendshapes of a mesh that move parts of the face, each with its part and its displacements. */
function findFacePartBlendshapes({
  morphTargetDictionary: known,
  geometry,
}: Mesh): [part: FacePart, moved: BufferAttribute][] {
  const found: [FacePart, BufferAttribute][] = [];
  for (const [name, index] of Object.entries(known ?? {})) {
    const moved = geometry.morphAttributes.position?.[index] as BufferAttribute | undefined;
    for (const part of arkitNamesOfLoadedBlendshape(name))
      if (moved && (FACE_PARTS as readonly string[]).includes(part)) found.push([part as FacePart, moved]);
  }
  return found;
}

/** Whether a mesh or its node is called head or face. */
function isMeshNamedHeadOrFace(mesh: Mesh): boolean {
  return [mesh.name, mesh.parent?.name ?? ''].some((name) => /(head|face)([_\s\d]|mesh|geo|$)/i.test(name));
}

/** Whether a vertex of a mesh is moved by a joint that its skeleton does not have. */
function refersToMissingJoint({ geometry, skeleton }: SkinnedMesh): boolean {
  const { skinIndex, skinWeight } = geometry.attributes;
  if (!skinIndex || !skinWeight) return false;
  for (let vertex = 0; vertex < skinIndex.count; vertex += 1)
    for (let i = 0; i < 4; i += 1)
      if (
        skinIndex.getComponent(vertex, i) >= skeleton.bones.length &&
        skinWeight.getComponent(vertex, i) > 0
      )
        return true;
  return false;
}

/** For each joint of a skinned mesh, whether it is `head` or below it; null for other meshes. */
function flagJointsAtOrBelow(mesh: Mesh, head: Object3D): boolean[] | null {
  if (!(mesh instanceof SkinnedMesh)) return null;
  return mesh.skeleton.bones.map((bone) => isSameOrDescendant(bone, head));
}

/** Whether an object is `ancestor` or below it. */
function isSameOrDescendant(object: Object3D, ancestor: Object3D): boolean {
  for (let at: Object3D | null = object; at; at = at.parent) if (at === ancestor) return true;
  return false;
}

/** Whether the joint with the largest weight at a vertex is one of those. */
function isVertexMovedMostlyBy(mesh: Mesh, vertex: number, joints: readonly boolean[]): boolean {
  const { skinIndex, skinWeight } = mesh.geometry.attributes;
  if (!skinIndex || !skinWeight) return false;
  let best = 0;
  for (let i = 1; i < 4; i += 1)
    if (skinWeight.getComponent(vertex, i) > skinWeight.getComponent(vertex, best)) best = i;
  return joints[skinIndex.getComponent(vertex, best)] ?? false;
}
