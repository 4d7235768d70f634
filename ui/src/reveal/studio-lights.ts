// Portrait lighting: a soft warm key from the front, much fill, and a rim that separates the figure from the dark.
import {
  CanvasTexture,
  DirectionalLight,
  Group,
  HemisphereLight,
  Mesh,
  MeshBasicMaterial,
  PlaneGeometry,
} from 'three';

/** The lights, for a figure of about two units at the origin. */
export function createStudioLights(): Group {
  const group = new Group();
  const key = new DirectionalLight('#fff0e0', 1.7);
  key.position.set(-1, 1.7, 4.6);
  const fill = new DirectionalLight('#dbe6ff', 0.9);
  fill.position.set(2.8, 0.6, 3.4);
  const rim = new DirectionalLight('#ffc79a', 1.4);
  rim.position.set(2.6, 2.2, -3);
  const kick = new DirectionalLight('#9fc2ff', 0.8);
  kick.position.set(-3.2, 0.8, -2.4);
  group.add(key, fill, rim, kick, new HemisphereLight('#fff4ea', '#b98a72', 1));
  return group;
}

/** The soft shadow below the figure. */
export function createContactShadow(): Mesh {
  const canvas = document.createElement('canvas');
  canvas.width = 128;
  canvas.height = 128;
  const context = canvas.getContext('2d');
  if (context) {
    const gradient = context.createRadialGradient(64, 64, 4, 64, 64, 64);
    gradient.addColorStop(0, 'rgba(2,3,8,0.85)');
    gradient.addColorStop(0.45, 'rgba(2,3,8,0.42)');
    gradient.addColorStop(1, 'rgba(2,3,8,0)');
    context.fillStyle = gradient;
    context.fillRect(0, 0, 128, 128);
  }
  const material = new MeshBasicMaterial({
    map: new CanvasTexture(canvas),
    transparent: true,
    depthWrite: false,
  });
  const mesh = new Mesh(new PlaneGeometry(1, 1), material);
  mesh.rotation.x = -Math.PI / 2;
  return mesh;
}
