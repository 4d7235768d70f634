// A generated avatar and portraits for a plain browser.
import {
  BufferAttribute,
  Color,
  Float32BufferAttribute,
  Group,
  Mesh,
  MeshStandardMaterial,
  SphereGeometry,
} from 'three';
import { GLTFExporter } from 'three/addons/exporters/GLTFExporter.js';

/** The URL of a GLB: a head with the blendshapes that the reveal animates. */
export async function createHeadGlbUrl(): Promise<string> {
  const group = new Group();
  group.add(createHeadMesh());
  for (const side of [-1, 1]) {
    const eye = new Mesh(
      new SphereGeometry(0.1, 32, 24),
      new MeshStandardMaterial({ color: '#f7f3ee', roughness: 0.25 }),
    );
    eye.position.set(side * 0.27, 0.1, 0.63);
    const iris = new Mesh(
      new SphereGeometry(0.052, 24, 16),
      new MeshStandardMaterial({ color: '#2c1c12', roughness: 0.1 }),
    );
    iris.position.set(side * 0.265, 0.1, 0.685);
    group.add(eye, iris);
  }
  const data = (await new GLTFExporter().parseAsync(group, { binary: true })) as ArrayBuffer;
  return serveInPieces(new Blob([data], { type: 'model/gltf-binary' }));
}

/** Answers requests for pieces of a file as `avatar_protocol.rs` does; returns its URL. */
function serveInPieces(file: Blob): string {
  const fileUrl = `avatar://localhost/generated/${file.size}.glb`;
  const fetchFromNetwork = window.fetch.bind(window);
  window.fetch = async (input, init) => {
    const [url, from] = String(input).split('?from=');
    if (url !== fileUrl) return fetchFromNetwork(input, init);
    return new Response(file.slice(Number(from)), { headers: { 'x-file-size': String(file.size) } });
  };
  return fileUrl;
}

const PORTRAIT_COLOURS = [
  { ground: '#3a2b33', skin: '#d99b78', hair: '#2a1a14', coat: '#33406b' },
  { ground: '#24343a', skin: '#8a5a3c', hair: '#15100d', coat: '#6b4a33' },
  { ground: '#2d2b3f', skin: '#e8b796', hair: '#8c5a2b', coat: '#3d5a45' },
  { ground: '#3a3226', skin: '#c68863', hair: '#4a4a4e', coat: '#5a2f3d' },
] as const;

/** The URL of one of several portraits. */
export function createPortraitUrl(which = 0): string {
  const { ground, skin, hair, coat } =
    PORTRAIT_COLOURS[which % PORTRAIT_COLOURS.length] ?? PORTRAIT_COLOURS[0];
  const canvas = document.createElement('canvas');
  canvas.width = 512;
  canvas.height = 512;
  const context = canvas.getContext('2d');
  if (!context) return '';
  const back = context.createLinearGradient(0, 0, 512, 512);
  back.addColorStop(0, ground);
  back.addColorStop(1, '#161a2c');
  context.fillStyle = back;
  context.fillRect(0, 0, 512, 512);
  const ellipse = (x: number, y: number, w: number, h: number, colour: string) => {
    context.fillStyle = colour;
    context.beginPath();
    context.ellipse(x, y, w, h, 0, 0, Math.PI * 2);
    context.fill();
  };
  ellipse(256, 520, 190, 150, coat);
  ellipse(256, 250, 118, 150, skin);
  ellipse(256, 170, 126, 90, hair);
  ellipse(256, 275, 104, 120, skin);
  ellipse(212, 255, 13, 8, '#20140f');
  ellipse(300, 255, 13, 8, '#20140f');
  ellipse(256, 335, 34, 9, '#a9563f');
  return canvas.toDataURL('image/png');
}

/** The URL of an operator's logo, dark on a transparent ground. */
export function createLogoUrl(): string {
  const canvas = document.createElement('canvas');
  canvas.width = 900;
  canvas.height = 200;
  const context = canvas.getContext('2d');
  if (!context) return '';
  context.fillStyle = '#1b2a6b';
  context.beginPath();
  context.arc(100, 100, 84, 0, Math.PI * 2);
  context.fill();
  context.font = '700 128px "Mona Sans Variable", sans-serif';
  context.textBaseline = 'middle';
  context.fillText('Messe Nord', 220, 108, 660);
  return canvas.toDataURL('image/png');
}

function createHeadMesh(): Mesh {
  const geometry = new SphereGeometry(1, 160, 120);
  const position = geometry.getAttribute('position');
  const count = position.count;
  const blink = { L: new Float32Array(count * 3), R: new Float32Array(count * 3) };
  const smile = { L: new Float32Array(count * 3), R: new Float32Array(count * 3) };
  const colours = new Float32Array(count * 3);
  const [skin, lip, hair] = [new Color('#d8a184'), new Color('#b5654f'), new Color('#2b1a14')];
  for (let i = 0; i < count; i += 1) {
    let x = position.getX(i);
    let y = position.getY(i);
    let z = position.getZ(i);
    const front = Math.max(0, z);
    const jaw = y < 0 ? 1 - 0.34 * y * y : 1;
    x *= 0.72 * jaw;
    z *= z > 0 ? 0.8 : 0.92;
    y *= 1.02;
    const away = Math.abs(x);
    z += front * 0.26 * gaussian((y + 0.2) / 0.2) * gaussian(x / 0.11);
    z -= front * 0.14 * gaussian((away - 0.27) / 0.13) * gaussian((y - 0.1) / 0.1);
    z += front * 0.08 * gaussian(x / 0.22) * (gaussian((y + 0.47) / 0.045) + gaussian((y + 0.57) / 0.05));
    z += front * 0.06 * gaussian(x / 0.2) * gaussian((y + 0.82) / 0.1);
    position.setXYZ(i, x, y, z);
    const lips =
      front * gaussian(x / 0.2) * Math.max(gaussian((y + 0.47) / 0.035), gaussian((y + 0.56) / 0.04));
    const scalp = y > 0.52 + 0.18 * front || (z < 0 && y > -0.35) ? 1 : 0;
    const colour = skin.clone().lerp(lip, Math.min(1, lips)).lerp(hair, scalp);
    colours.set([colour.r, colour.g, colour.b], i * 3);
    const side = x > 0 ? 'L' : 'R';
    const lid = front * gaussian((away - 0.27) / 0.13) * gaussian((y - 0.12) / 0.09);
    blink[side].set([0, -0.04 * lid, 0.19 * lid], i * 3);
    const corner = front * gaussian((away - 0.2) / 0.1) * gaussian((y + 0.5) / 0.1);
    smile[side].set([Math.sign(x) * 0.05 * corner, 0.08 * corner, -0.02 * corner], i * 3);
  }
  geometry.setAttribute('color', new BufferAttribute(colours, 3));
  geometry.computeVertexNormals();
  const names = ['eyeBlinkLeft', 'eyeBlinkRight', 'mouthSmileLeft', 'mouthSmileRight'];
  geometry.morphAttributes.position = [blink.L, blink.R, smile.L, smile.R].map((values, i) => {
    const attribute = new Float32BufferAttribute(values, 3);
    attribute.name = names[i] ?? '';
    return attribute;
  });
  geometry.morphTargetsRelative = true;
  const mesh = new Mesh(
    geometry,
    new MeshStandardMaterial({ vertexColors: true, roughness: 0.55, metalness: 0 }),
  );
  mesh.morphTargetDictionary = Object.fromEntries(names.map((name, i) => [name, i]));
  mesh.morphTargetInfluences = names.map(() => 0);
  return mesh;
}

function gaussian(t: number): number {
  return Math.exp(-t * t);
}
