// A figure whose head, face and skeleton are told from a picture of it: a mannequin with a green left eye, a blue right
// eye and a red mouth. It faces +Z and stands in a T-pose. Imports nothing, so that other packages can use it too.

const HEAD_CENTRE = [0, 1.62, 0.02];
const HEAD_RADII = [0.085, 0.125, 0.1];

/** Joints of the skeleton: name, parent, position in metres. */
const JOINTS = [
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
const BODY = [
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
const BLENDSHAPES = [
  ['eyeBlinkLeft', [0.035, 1.645, 0.11], 0.025, [0, -0.006, 0]],
  ['eyeBlinkRight', [-0.035, 1.645, 0.11], 0.025, [0, -0.006, 0]],
  ['mouthSmileLeft', [0.03, 1.565, 0.11], 0.03, [0.004, 0.006, 0]],
  ['mouthSmileRight', [-0.03, 1.565, 0.11], 0.03, [-0.004, 0.006, 0]],
  ['jawOpen', [0, 1.53, 0.1], 0.05, [0, -0.02, 0]],
  ['tongueOut', [0, 1.56, 0.12], 0.02, [0, 0, 0.02]],
];

/** The head: an ellipsoid whose front is at the middle of the texture. */
function createHeadShape(rows) {
  const columns = rows * 2;
  const shape = { points: [], normals: [], uvs: [], joints: [], indices: [] };
  for (let row = 0; row <= rows; row += 1) {
    for (let column = 0; column <= columns; column += 1) {
      const [v, u] = [row / rows, column / columns];
      const around = (u - 0.5) * 2 * Math.PI;
      const normal = [
        Math.sin(v * Math.PI) * Math.sin(around),
        Math.cos(v * Math.PI),
        Math.sin(v * Math.PI) * Math.cos(around),
      ];
      shape.points.push(normal.map((n, i) => HEAD_CENTRE[i] + n * HEAD_RADII[i]));
      shape.normals.push(normal);
      shape.uvs.push([u, v]);
      shape.joints.push('Head');
    }
  }
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const a = row * (columns + 1) + column;
      const b = a + columns + 1;
      // The triangles at the poles have no area.
      if (row > 0) shape.indices.push(a, b, a + 1);
      if (row < rows - 1) shape.indices.push(a + 1, b, b + 1);
    }
  }
  return shape;
}

function createBodyShape() {
  const shape = { points: [], normals: [], uvs: [], joints: [], indices: [] };
  for (const [joint, centre, size] of BODY) {
    for (const axis of [0, 1, 2]) {
      for (const sign of [-1, 1]) {
        const first = shape.points.length;
        const [one, other] = [(axis + 1) % 3, (axis + 2) % 3];
        for (const [s, t] of [[-1, -1], [1, -1], [1, 1], [-1, 1]]) {
          const point = [...centre];
          const normal = [0, 0, 0];
          normal[axis] = sign;
          point[axis] = centre[axis] + (sign * size[axis]) / 2;
          point[one] = centre[one] + (s * size[one]) / 2;
          point[other] = centre[other] + (t * size[other]) / 2;
          shape.points.push(point);
          shape.normals.push(normal);
          shape.uvs.push([0.02, 0.95]);
          shape.joints.push(joint);
        }
        const corners = sign > 0 ? [0, 1, 2, 0, 2, 3] : [0, 2, 1, 0, 3, 2];
        shape.indices.push(...corners.map((corner) => first + corner));
      }
    }
  }
  return shape;
}

/** The colour at a place of the texture, as in `face.png`. */
function faceColour([u, v]) {
  const isWithin = (cu, cv) => Math.hypot(u - cu, (v - cv) * 0.6) < 0.045;
  if (isWithin(0.57, 0.42)) return [0.01, 0.5, 0.05];
  if (isWithin(0.43, 0.42)) return [0.01, 0.06, 0.7];
  if (Math.abs(u - 0.5) < 0.08 && Math.abs(v - 0.64) < 0.035) return [0.6, 0.01, 0.02];
  return v < 0.28 ? [0.05, 0.02, 0.01] : [0.75, 0.46, 0.3];
}

/** Builds the mannequin in an empty document of glTF-Transform, which is returned. `mannequin.d.mts` says the options. */
export function createMannequin(document, {
  headOnly = false,
  withoutSkin = headOnly,
  jointName = (name) => name,
  withoutBlendshapes = false,
  texture = null,
  turned = (point) => point,
  rootScale = 1,
  rows = 24,
} = {}) {
  const buffer = document.createBuffer();
  const place = (point) => turned(point).map((n) => n / rootScale);
  const accessor = (type, array) => document.createAccessor().setType(type).setArray(array).setBuffer(buffer);
  const floats = (type, all) => accessor(type, new Float32Array(all.flat()));

  const root = document.createNode('Armature').setScale([rootScale, rootScale, rootScale]);
  document.createScene().addChild(root);
  const joints = withoutSkin ? [] : JOINTS;
  const nodes = new Map();
  for (const [name, parent, at] of joints) {
    const from = joints.find(([one]) => one === parent)?.[2] ?? [0, 0, 0];
    const [there, here] = [place(at), place(from)];
    const node = document.createNode(jointName(name)).setTranslation(there.map((n, i) => n - here[i]));
    (parent === null ? root : nodes.get(parent)).addChild(node);
    nodes.set(name, node);
  }
  let skin = null;
  if (!withoutSkin) {
    const inverse = joints.map(([, , at]) => {
      const [x, y, z] = place(at);
      return [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, -x, -y, -z, 1];
    });
    skin = document.createSkin().setInverseBindMatrices(floats('MAT4', inverse));
    for (const [name] of joints) skin.addJoint(nodes.get(name));
  }
  const material = document.createMaterial('Skin').setMetallicFactor(0).setRoughnessFactor(0.8);
  if (texture) material.setBaseColorTexture(document.createTexture('Face').setImage(texture).setMimeType('image/png'));

  const addMesh = (name, shape, blendshapes) => {
    const primitive = document
      .createPrimitive()
      .setIndices(accessor('SCALAR', new Uint16Array(shape.indices)))
      .setAttribute('POSITION', floats('VEC3', shape.points.map(place)))
      .setAttribute('NORMAL', floats('VEC3', shape.normals.map(turned)))
      .setMaterial(material);
    if (texture) primitive.setAttribute('TEXCOORD_0', floats('VEC2', shape.uvs));
    else primitive.setAttribute('COLOR_0', floats('VEC3', shape.uvs.map(faceColour)));
    if (skin) {
      const indices = shape.joints.flatMap((one) => [joints.findIndex(([joint]) => joint === one), 0, 0, 0]);
      primitive.setAttribute('JOINTS_0', accessor('VEC4', new Uint16Array(indices)));
      primitive.setAttribute('WEIGHTS_0', floats('VEC4', shape.joints.map(() => [1, 0, 0, 0])));
    }
    for (const [blendshape, centre, reach, by] of blendshapes) {
      const moved = shape.points.map((point) => {
        const share = Math.max(0, 1 - Math.hypot(...point.map((n, i) => n - centre[i])) / reach);
        return place(by.map((n) => n * share));
      });
      primitive.addTarget(document.createPrimitiveTarget(blendshape).setAttribute('POSITION', floats('VEC3', moved)));
    }
    const mesh = document.createMesh(name).addPrimitive(primitive).setWeights(blendshapes.map(() => 0));
    const node = document.createNode(name).setMesh(mesh);
    if (skin) node.setSkin(skin);
    // The transforms of the nodes above a skinned mesh do not apply to it.
    root.addChild(node);
  };
  addMesh('Face', createHeadShape(rows), withoutBlendshapes ? [] : BLENDSHAPES);
  if (!headOnly) addMesh('Body', createBodyShape(), []);
  return document;
}
