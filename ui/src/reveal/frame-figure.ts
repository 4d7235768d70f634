// Places an avatar on the stage: upright, facing the viewer, and with its head large, whatever the axes, the scale and
// the pose of the file.
import { Box3, type Object3D, Quaternion, Vector3 } from 'three';
import { type Chin, findChin } from './find-chin';
import type { JointRole } from './joint-roles';
import { type SampledFigure, sampleModelGeometry } from './sample-figure';

/** The size of the shown part of an avatar, and what it shows of the figure. */
export interface ShownFigurePart {
  /** The size of the part that the picture shows, the largest side two units; its middle is the origin. */
  size: Vector3;
  /** Whether more of the figure is below the picture. */
  isCropped: boolean;
  /** Whether the picture shows feet, on which it stands. */
  standsOnFeet: boolean;
  /** The face from the chin to above the brows, without ears; null when nothing tells where it is. */
  face: Box3 | null;
  /** The point between the eyes, and the distance of their middles; null when nothing tells them. */
  eyes: { middle: Vector3; distance: number } | null;
  /** The chin; null when there is no throat below it, or when nothing tells where it is. */
  chin: Chin | null;
}

/** A figure taller than so many heads is shown from the shoulders up. */
const MAX_HEADS_SHOWN_WHOLE = 2.2;
/** Above and below the head in the picture, in heights of the head. */
const ROOM_ABOVE_HEAD = 0.08;
const ROOM_BELOW_HEAD = 0.5;
const Y_AXIS = new Vector3(0, 1, 0);

/**
 * Turns the model upright and to the front, lowers its arms, and finds the part to show. Rejects when it
 * contains nothing visible. `facesBack`: the file's format says that it faces −Z.
 */
export async function poseAndFrameFigure(
  model: Object3D,
  facesBack: boolean,
  signal: AbortSignal,
): Promise<ShownFigurePart> {
  const figure = await sampleModelGeometry(model, signal);
  const whole = new Box3().setFromPoints(figure.points);
  const largest = Math.max(...whole.getSize(new Vector3()).toArray());
  if (whole.isEmpty() || !Number.isFinite(largest) || largest <= 0)
    throw new Error('the file contains nothing to see');
  rotateModelAndSamples(figure, model, quarterTurnsToUpright(findUpDirection(figure, whole)));
  rotateModelAndSamples(figure, model, quarterTurnsToFaceViewer(findFrontDirection(figure), facesBack));
  lowerStretchedOutArm(figure, 'left');
  lowerStretchedOutArm(figure, 'right');
  const placed = findFramedRegion(figure);
  const size = placed.picture.getSize(new Vector3());
  const scale = 2 / Math.max(size.x, size.y, size.z);
  const centre = placed.picture.getCenter(new Vector3());
  const toStage = (point: Vector3) => point.clone().sub(centre).multiplyScalar(scale);
  const face = findFaceBounds(figure, placed.head);
  const eyes = findEyes(figure);
  const chin = findChinOfFigure(figure, placed.head);
  model.scale.multiplyScalar(scale);
  model.position.copy(centre).multiplyScalar(-scale);
  const hasFeet = figure.joints.has('leftFoot') || figure.joints.has('rightFoot');
  return {
    size: size.multiplyScalar(scale),
    isCropped: placed.isCropped,
    standsOnFeet: hasFeet && !placed.isCropped,
    face: face && new Box3(toStage(face.min), toStage(face.max)),
    eyes: eyes && { middle: toStage(eyes.middle), distance: eyes.distance * scale },
    chin: chin && { point: toStage(chin.point), headHeight: chin.headHeight * scale },
  };
}

/** Rotates the model, and the points that were sampled of it. Does nothing without a rotation. */
function rotateModelAndSamples(
  { points, face }: SampledFigure,
  model: Object3D,
  turn: Quaternion | null,
): void {
  if (!turn) return;
  model.quaternion.premultiply(turn);
  for (const point of [...points, ...face.values()]) point.applyQuaternion(turn);
  model.updateMatrixWorld(true);
}

/** The direction from below to above of the figure; null when nothing tells it. */
function findUpDirection(figure: SampledFigure, whole: Box3): Vector3 | null {
  const joint = (role: JointRole) => jointWorldPosition(figure, role);
  const head = joint('head');
  const below = meanOfKnownPoints([joint('leftFoot'), joint('rightFoot')]) ?? joint('hips') ?? joint('neck');
  if (head && below) return head.sub(below);
  const [eyes, mouth] = [middleOfEyes(figure), middleOfMouth(figure)];
  if (eyes && mouth) return eyes.sub(mouth);
  // Nobody is less deep than he is tall: a figure that is flat along Y lies down.
  const { x, y, z } = whole.getSize(new Vector3());
  return y < 0.5 * z && y <= x ? new Vector3(0, 0, 1) : null;
}

/** The direction in which the figure looks; null when nothing tells it. */
function findFrontDirection(figure: SampledFigure): Vector3 | null {
  const flat = (to: Vector3 | null, from: Vector3 | null) =>
    to && from ? to.clone().sub(from).setY(0) : null;
  const heads = figure.points.filter((_, i) => figure.isOfHead[i]);
  const eyes = middleOfEyes(figure);
  const middle = new Box3().setFromPoints(heads.length > 0 ? heads : figure.points).getCenter(new Vector3());
  const joint = (role: JointRole) => jointWorldPosition(figure, role);
  const toes = flat(
    meanOfKnownPoints([joint('leftToes'), joint('rightToes')]),
    meanOfKnownPoints([joint('leftFoot'), joint('rightFoot')]),
  );
  const gaze = flat(meanOfKnownPoints([joint('leftEye'), joint('rightEye')]), joint('head'));
  return (
    [flat(meanOfKnownPoints([eyes, middleOfMouth(figure)]), middle), toes, gaze].find(isNearAxis) ?? null
  );
}

/** Whether a direction is near one of the axes. */
function isNearAxis(direction: Vector3 | null): direction is Vector3 {
  const length = direction?.length() ?? 0;
  return length > 0 && Math.max(...(direction?.toArray() ?? []).map(Math.abs)) > 0.8 * length;
}

/** The axis that is nearest to a direction; null when it is near none. */
function nearestAxis(direction: Vector3 | null): Vector3 | null {
  if (!isNearAxis(direction)) return null;
  const largest = Math.max(...direction.toArray().map(Math.abs));
  return new Vector3(
    ...direction.toArray().map((part) => (Math.abs(part) === largest ? Math.sign(part) : 0)),
  );
}

/** The quarter turns by which a direction becomes upwards; null when it is so already. */
function quarterTurnsToUpright(up: Vector3 | null): Quaternion | null {
  const axis = nearestAxis(up);
  if (!axis || axis.y === 1) return null;
  // Standing on its head: turned over to the side, so that it keeps its front.
  if (axis.y === -1) return new Quaternion().setFromAxisAngle(new Vector3(0, 0, 1), Math.PI);
  return new Quaternion().setFromUnitVectors(axis, Y_AXIS);
}

/** The quarter turns by which a direction becomes that to the viewer; null when it is so already. */
function quarterTurnsToFaceViewer(front: Vector3 | null, facesBack: boolean): Quaternion | null {
  const axis = nearestAxis(front) ?? new Vector3(0, 0, facesBack ? -1 : 1);
  const angle = -Math.atan2(axis.x, axis.z);
  return angle === 0 ? null : new Quaternion().setFromAxisAngle(Y_AXIS, angle);
}

/** Lowers an arm that is stretched out, as in T-poses and A-poses. */
function lowerStretchedOutArm({ joints }: SampledFigure, side: 'left' | 'right'): void {
  const [upper, lower] = [joints.get(`${side}UpperArm`), joints.get(`${side}LowerArm`)];
  if (!upper?.parent || !lower) return;
  const [shoulder, elbow] = [upper.getWorldPosition(new Vector3()), lower.getWorldPosition(new Vector3())];
  const direction = elbow.sub(shoulder).normalize();
  const MIN_ANGLE = 0.5;
  if (direction.lengthSq() === 0 || direction.angleTo(Y_AXIS.clone().negate()) < MIN_ANGLE) return;
  const outwards = Math.sign(direction.x) || (side === 'left' ? 1 : -1);
  const turn = new Quaternion().setFromUnitVectors(
    direction,
    new Vector3(outwards * 0.26, -1, 0.03).normalize(),
  );
  const parent = upper.parent.getWorldQuaternion(new Quaternion());
  upper.quaternion.premultiply(parent.clone().invert().multiply(turn).multiply(parent));
  upper.updateMatrixWorld(true);
}

/** The part of the figure to show. */
function findFramedRegion(figure: SampledFigure): { picture: Box3; isCropped: boolean; head: Box3 | null } {
  const whole = new Box3().setFromPoints(figure.points);
  const head = findHeadBounds(figure, whole);
  const height = head ? head.max.y - head.min.y : 0;
  if (!head || height <= 0 || whole.max.y - whole.min.y <= MAX_HEADS_SHOWN_WHOLE * height)
    return { picture: whole, isCropped: false, head };
  const middle = head.getCenter(new Vector3());
  const half = new Vector3(0.75, 0, 0.6).multiplyScalar(height);
  return {
    picture: new Box3(
      middle
        .clone()
        .sub(half)
        .setY(head.min.y - ROOM_BELOW_HEAD * height),
      middle
        .clone()
        .add(half)
        .setY(head.max.y + ROOM_ABOVE_HEAD * height),
    ),
    isCropped: true,
    head,
  };
}

/** The box of the face; null when neither its parts nor the head are known. */
function findFaceBounds(figure: SampledFigure, head: Box3 | null): Box3 | null {
  const [eyes, mouth] = [middleOfEyes(figure), middleOfMouth(figure)];
  const height = eyes && mouth ? estimateHeadHeight(figure, eyes) : null;
  if (eyes && mouth && height)
    return new Box3(
      new Vector3(eyes.x - 0.22 * height, mouth.y - 0.1 * height, mouth.z),
      new Vector3(eyes.x + 0.22 * height, eyes.y + 0.16 * height, Math.max(eyes.z, mouth.z)),
    );
  if (!head) return null;
  const { x, y, z } = head.getSize(new Vector3());
  return new Box3(
    head.min.clone().add(new Vector3(0.25 * x, 0.15 * y, 0.5 * z)),
    head.max.clone().sub(new Vector3(0.25 * x, 0.35 * y, 0)),
  );
}

/** The chin of a figure; null when there is no throat below it, or when neither its face nor its head is known. */
function findChinOfFigure(figure: SampledFigure, head: Box3 | null): Chin | null {
  const [eyes, mouth] = [middleOfEyes(figure), middleOfMouth(figure)];
  const height = eyes && mouth ? estimateHeadHeight(figure, eyes) : null;
  if (mouth && height) return findChin(figure.points, mouth, height);
  if (!head) return null;
  // The mouth is a fifth of the head above the chin.
  const { x, y } = head.getSize(new Vector3());
  return findChin(figure.points, head.min.clone().add(new Vector3(x / 2, 0.2 * y, 0)), y);
}

/** The eyes of a figure; null when they are not known. */
function findEyes(figure: SampledFigure): ShownFigurePart['eyes'] {
  const [left, right] = [
    figure.face.get('eyeBlinkLeft') ?? jointWorldPosition(figure, 'leftEye'),
    figure.face.get('eyeBlinkRight') ?? jointWorldPosition(figure, 'rightEye'),
  ];
  const middle = meanOfKnownPoints([left, right]);
  return left && right && middle ? { middle, distance: left.distanceTo(right) } : null;
}

/**
 * The box around the head; null when nothing shows where it is, as for a figure that is nothing but a head.
 */
function findHeadBounds(figure: SampledFigure, whole: Box3): Box3 | null {
  const parts = figure.points.filter((_, i) => figure.isOfHead[i]);
  const joint = jointWorldPosition(figure, 'head');
  if (parts.length > 0) {
    const box = new Box3().setFromPoints(parts);
    // Long hair is carried by the head. The joint is about as high as the chin.
    if (joint) box.min.y = Math.max(box.min.y, joint.y - 0.25 * Math.max(0, box.max.y - joint.y));
    const axis = joint ?? box.getCenter(new Vector3());
    return buildHeadWidthBox(box.min.y, box.max.y, axis);
  }
  const eyes =
    middleOfEyes(figure) ??
    meanOfKnownPoints([jointWorldPosition(figure, 'leftEye'), jointWorldPosition(figure, 'rightEye')]);
  const height = eyes && estimateHeadHeight(figure, eyes);
  // The eyes are in the middle of a head.
  if (eyes && height)
    return buildHeadWidthBox(eyes.y - 0.55 * height, Math.min(whole.max.y, eyes.y + 0.55 * height), eyes);
  const size = whole.getSize(new Vector3());
  if (Math.min(size.x, size.z) > 0.36 * size.y) return null;
  // A body without joints, names and blendshapes: a person is about seven heads tall.
  const bottom = whole.max.y - size.y / 7;
  const upper = new Box3().setFromPoints(figure.points.filter(({ y }) => y > bottom));
  // Nothing that is as wide at its top as a person at the shoulders.
  if (upper.max.x - upper.min.x > (2 * size.y) / 7) return null;
  return buildHeadWidthBox(bottom, whole.max.y, upper.getCenter(new Vector3()));
}

/** A box as wide as a head of this height. */
function buildHeadWidthBox(bottom: number, top: number, { x, z }: Vector3): Box3 {
  const half = 0.4 * (top - bottom);
  return new Box3(new Vector3(x - half, bottom, z - half), new Vector3(x + half, top, z + half));
}

/** The height of a head by the distances in its face, in the proportions of an adult; null when nothing tells it. */
function estimateHeadHeight(figure: SampledFigure, eyes: Vector3): number | null {
  const mouth = middleOfMouth(figure);
  if (mouth && eyes.y > mouth.y) return 3.4 * (eyes.y - mouth.y);
  const [left, right] = [
    figure.face.get('eyeBlinkLeft') ?? jointWorldPosition(figure, 'leftEye'),
    figure.face.get('eyeBlinkRight') ?? jointWorldPosition(figure, 'rightEye'),
  ];
  const distance = left && right ? left.distanceTo(right) : 0;
  return distance > 0 ? 3.8 * distance : null;
}

/** The point between the eyes; null when neither is known. */
function middleOfEyes({ face }: SampledFigure): Vector3 | null {
  return meanOfKnownPoints([face.get('eyeBlinkLeft'), face.get('eyeBlinkRight')]);
}

/** The middle of the mouth: between its corners, else the jaw; null when neither is known. */
function middleOfMouth({ face }: SampledFigure): Vector3 | null {
  return (
    meanOfKnownPoints([face.get('mouthSmileLeft'), face.get('mouthSmileRight')]) ??
    face.get('jawOpen') ??
    null
  );
}

/** The position of a joint in the world; null when the figure has none of this role. */
function jointWorldPosition({ joints }: SampledFigure, role: JointRole): Vector3 | null {
  return joints.get(role)?.getWorldPosition(new Vector3()) ?? null;
}

/** The mean of the points that are known; null when none is. */
function meanOfKnownPoints(points: readonly (Vector3 | null | undefined)[]): Vector3 | null {
  const known = points.filter((point) => point instanceof Vector3);
  if (known.length === 0) return null;
  return known.reduce((sum, point) => sum.add(point), new Vector3()).divideScalar(known.length);
}
