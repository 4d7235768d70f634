// Draws avatars side by side with the lighting of the reveal. Driven by `heads.ts`.
import {
  ACESFilmicToneMapping,
  Box3,
  CanvasTexture,
  Group,
  type Mesh,
  type Object3D,
  PerspectiveCamera,
  Scene,
  SRGBColorSpace,
  Vector3,
  WebGLRenderer,
} from 'three';
import { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';
import { loadStudioEnvironment } from '../src/reveal/studio-environment';
import { createStudioLights } from '../src/reveal/studio-lights';

/** One picture: file, rotation in degrees, blendshapes, caption. */
export interface AvatarPictureSpec {
  file: string;
  turn: number;
  face: Record<string, number>;
  caption: string;
}

declare global {
  /** What the page offers to the test that draws the avatars. */
  interface Window {
    drawHeads(shots: AvatarPictureSpec[], columns: number, width: number, height: number): Promise<void>;
  }
}

const renderer = new WebGLRenderer({ antialias: true, preserveDrawingBuffer: true });
renderer.toneMapping = ACESFilmicToneMapping;
renderer.toneMappingExposure = 0.95;
const light = loadStudioEnvironment();
/** Light behind the head: dark hair and skin stand out, and the edges of the cells stay dark. */
function createBackdropLight(): CanvasTexture {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 256;
  const context = canvas.getContext('2d');
  if (!context) throw new Error('there is no canvas');
  const glow = context.createRadialGradient(128, 120, 10, 128, 128, 170);
  glow.addColorStop(0, '#8d9cc9');
  glow.addColorStop(0.55, '#4d5a87');
  glow.addColorStop(1, '#20284a');
  context.fillStyle = glow;
  context.fillRect(0, 0, 256, 256);
  const texture = new CanvasTexture(canvas);
  texture.colorSpace = SRGBColorSpace;
  return texture;
}
const backdrop = createBackdropLight();
const known = new Map<string, Object3D>();

/** Loads a GLB, centred and scaled to two units. Each file is loaded once. */
async function loadNormalizedAvatar(file: string): Promise<Object3D> {
  const there = known.get(file);
  if (there) return there;
  const { scene } = await new GLTFLoader().loadAsync(file);
  const box = new Box3().setFromObject(scene);
  const size = box.getSize(new Vector3());
  const scale = 2 / Math.max(size.x, size.y, size.z);
  scene.position.sub(box.getCenter(new Vector3())).multiplyScalar(scale);
  scene.scale.multiplyScalar(scale);
  known.set(file, scene);
  return scene;
}

window.drawHeads = async (shots, columns, width, height) => {
  const main = document.querySelector('main');
  if (!main) throw new Error('the page has no place for them');
  main.style.gridTemplateColumns = `repeat(${columns}, ${width}px)`;
  main.replaceChildren();
  // Supersampled: antialiasing alone is too coarse for hair.
  renderer.setPixelRatio(2);
  renderer.setSize(width, height);
  for (const shot of shots) {
    const model = await loadNormalizedAvatar(shot.file);
    const scene = new Scene();
    scene.background = backdrop;
    scene.environment = await light;
    scene.environmentIntensity = 0.55;
    const turntable = new Group();
    turntable.add(model);
    turntable.rotation.y = (shot.turn * Math.PI) / 180;
    scene.add(turntable, createStudioLights().group);
    model.traverse((object) => {
      const { morphTargetDictionary: names, morphTargetInfluences: weights } = object as Mesh;
      if (!names || !weights) return;
      for (const [name, index] of Object.entries(names)) weights[index] = shot.face[name] ?? 0;
    });
    const camera = new PerspectiveCamera(24, width / height, 0.1, 50);
    // Head and shoulders, turned too.
    camera.position.set(0, 0.43, 3.6);
    renderer.render(scene, camera);
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext('2d');
    if (!context) throw new Error('there is no canvas');
    context.imageSmoothingQuality = 'high';
    context.drawImage(renderer.domElement, 0, 0, width, height);
    const figure = document.createElement('figure');
    figure.append(canvas);
    if (shot.caption) {
      const caption = document.createElement('figcaption');
      caption.textContent = shot.caption;
      figure.append(caption);
    }
    main.append(figure);
  }
};
