// Makes a GLB lighter before it is read: an avatar brings some fifty blendshapes, of which a few are ever moved. What
// is not named any more is not read, not given to the graphics card and not kept. Pure.

interface Primitive {
  targets?: unknown[];
}
interface Mesh {
  primitives: Primitive[];
  weights?: number[];
  extras?: { targetNames?: unknown };
}
interface Gltf {
  meshes?: Mesh[];
  nodes?: { weights?: number[] }[];
  animations?: unknown;
}

const MAGIC = 0x46546c67;
const JSON_CHUNK = 0x4e4f534a;
const HEADER = 12;
const CHUNK_HEADER = 8;

/** The same GLB with no blendshapes but those in `kept`; as it is where it is none, or nothing can be spared. */
export function lighten(glb: ArrayBuffer, kept: ReadonlySet<string>): ArrayBuffer {
  const view = new DataView(glb);
  if (glb.byteLength < HEADER + CHUNK_HEADER || view.getUint32(0, true) !== MAGIC) return glb;
  const length = view.getUint32(HEADER, true);
  const body = HEADER + CHUNK_HEADER + length;
  if (view.getUint32(HEADER + 4, true) !== JSON_CHUNK || body > glb.byteLength) return glb;
  const gltf = JSON.parse(
    new TextDecoder().decode(new Uint8Array(glb, HEADER + CHUNK_HEADER, length)),
  ) as Gltf;
  if (!spare(gltf, kept)) return glb;
  return packed(gltf, new Uint8Array(glb, body));
}

/** Takes out what is not kept; whether there was any. */
function spare(gltf: Gltf, kept: ReadonlySet<string>): boolean {
  let spared = false;
  for (const mesh of gltf.meshes ?? []) {
    const names = mesh.extras?.targetNames;
    if (!Array.isArray(names) || mesh.primitives.some(({ targets }) => targets?.length !== names.length))
      continue;
    const stays = names.map((name) => kept.has(String(name)));
    if (stays.every(Boolean)) continue;
    const those = <T>(all: T[]) => all.filter((_, i) => stays[i]);
    for (const primitive of mesh.primitives) {
      primitive.targets = those(primitive.targets ?? []);
      if (primitive.targets.length === 0) delete primitive.targets;
    }
    if (mesh.weights) mesh.weights = those(mesh.weights);
    mesh.extras = { ...mesh.extras, targetNames: those(names) };
    spared = true;
  }
  if (!spared) return false;
  // These count blendshapes by their old places; the stage plays its own faces anyway.
  for (const node of gltf.nodes ?? []) delete node.weights;
  delete gltf.animations;
  return true;
}

function packed(gltf: Gltf, rest: Uint8Array): ArrayBuffer {
  const json = new TextEncoder().encode(JSON.stringify(gltf));
  const padded = Math.ceil(json.length / 4) * 4;
  const whole = new ArrayBuffer(HEADER + CHUNK_HEADER + padded + rest.length);
  const view = new DataView(whole);
  [MAGIC, 2, whole.byteLength, padded, JSON_CHUNK].forEach((word, i) => {
    view.setUint32(i * 4, word, true);
  });
  const bytes = new Uint8Array(whole);
  bytes.fill(0x20, HEADER + CHUNK_HEADER, HEADER + CHUNK_HEADER + padded);
  bytes.set(json, HEADER + CHUNK_HEADER);
  bytes.set(rest, HEADER + CHUNK_HEADER + padded);
  return whole;
}
