// Generates an avatar of any size: a sphere with 52 blendshapes and noise textures.
import { randomFillSync } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';

/** The size of the avatar. */
export interface GlbSize {
  /** Vertices along and around. */
  rows: number;
  columns: number;
  /** Side of each texture in pixels. */
  side: number;
  pictures: number;
}

/** About 60 MB. */
export const SIXTY_MEGABYTE_GLB: GlbSize = { rows: 180, columns: 220, side: 2048, pictures: 3 };
/** For frequent use. */
export const SMALL_GLB: GlbSize = { rows: 24, columns: 32, side: 64, pictures: 2 };

const BLENDSHAPE_NAMES = [
  'eyeBlinkLeft',
  'eyeBlinkRight',
  'mouthSmileLeft',
  'mouthSmileRight',
  'jawOpen',
  'mouthPucker',
];

/** Generates the GLB. */
export function generateGlb({ rows, columns, side, pictures }: GlbSize): Buffer {
  const parts: Buffer[] = [];
  const bufferViews: { buffer: number; byteOffset: number; byteLength: number }[] = [];
  let offset = 0;
  const add = (bytes: Buffer): number => {
    const padded = Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
    bufferViews.push({ buffer: 0, byteOffset: offset, byteLength: bytes.length });
    parts.push(padded);
    offset += padded.length;
    return bufferViews.length - 1;
  };
  const accessors: object[] = [];
  const floats = (values: Float32Array, type: 'VEC2' | 'VEC3', bounds: object = {}): number => {
    const width = type === 'VEC3' ? 3 : 2;
    const bufferView = add(Buffer.from(values.buffer));
    accessors.push({ bufferView, componentType: 5126, count: values.length / width, type, ...bounds });
    return accessors.length - 1;
  };

  const count = rows * columns;
  const [position, uv] = [new Float32Array(count * 3), new Float32Array(count * 2)];
  for (let i = 0; i < count; i += 1) {
    const [v, u] = [Math.floor(i / columns) / (rows - 1), (i % columns) / (columns - 1)];
    const [down, round] = [v * Math.PI, u * 2 * Math.PI];
    position.set([Math.sin(down) * Math.cos(round), Math.cos(down), Math.sin(down) * Math.sin(round)], i * 3);
    uv.set([u, v], i * 2);
  }
  const indices = new Uint32Array((rows - 1) * (columns - 1) * 6);
  for (let row = 0, at = 0; row < rows - 1; row += 1)
    for (let column = 0; column < columns - 1; column += 1, at += 6) {
      const a = row * columns + column;
      indices.set([a, a + 1, a + columns, a + 1, a + columns + 1, a + columns], at);
    }
  const bounds = { min: [-1, -1, -1], max: [1, 1, 1] };
  const attributes = {
    POSITION: floats(position, 'VEC3', bounds),
    NORMAL: floats(position, 'VEC3'),
    TEXCOORD_0: floats(uv, 'VEC2'),
  };
  const indexView = add(Buffer.from(indices.buffer));
  accessors.push({ bufferView: indexView, componentType: 5125, count: indices.length, type: 'SCALAR' });
  const index = accessors.length - 1;
  const names = Array.from({ length: 52 }, (_, i) => BLENDSHAPE_NAMES[i] ?? `shape${i}`);
  const targets = names.map((_, shape) => {
    const moved = Float32Array.from(position, (value, i) => (i % 52 === shape ? value * 0.05 : 0));
    return { POSITION: floats(moved, 'VEC3', bounds) };
  });
  const images = Array.from({ length: pictures }, () => ({
    bufferView: add(noisePng(side)),
    mimeType: 'image/png',
  }));
  const gltf = {
    asset: { version: '2.0' },
    scene: 0,
    scenes: [{ nodes: [0] }],
    nodes: [{ mesh: 0 }],
    meshes: [
      {
        primitives: [{ attributes, indices: index, targets, material: 0 }],
        weights: names.map(() => 0),
        extras: { targetNames: names },
      },
    ],
    materials: [
      {
        pbrMetallicRoughness: {
          baseColorTexture: { index: 0 },
          metallicRoughnessTexture: { index: 1 % pictures },
        },
        ...(pictures > 2 ? { emissiveTexture: { index: 2 }, emissiveFactor: [0.2, 0.2, 0.2] } : {}),
      },
    ],
    textures: images.map((_, source) => ({ source })),
    images,
    accessors,
    bufferViews,
    buffers: [{ byteLength: offset }],
  };
  const json = Buffer.from(JSON.stringify(gltf));
  const padded = Buffer.concat([json, Buffer.alloc((4 - (json.length % 4)) % 4, 0x20)]);
  const head = Buffer.alloc(20);
  [0x46546c67, 2, 28 + padded.length + offset, padded.length, 0x4e4f534a].forEach((word, i) => {
    head.writeUInt32LE(word, i * 4);
  });
  const between = Buffer.alloc(8);
  between.writeUInt32LE(offset, 0);
  between.writeUInt32LE(0x004e4942, 4);
  return Buffer.concat([head, padded, between, ...parts]);
}

/** An incompressible PNG. */
function noisePng(side: number): Buffer {
  const rows = randomFillSync(Buffer.alloc(side * (side * 3 + 1)));
  for (let row = 0; row < side; row += 1) rows[row * (side * 3 + 1)] = 0;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(rows, { level: 0 })),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
