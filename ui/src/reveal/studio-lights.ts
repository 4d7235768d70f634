// Portrait lighting: a soft warm key from the front, much fill, and a rim that separates the figure from the dark. No
// light is blue: where the skin turns away from the key, it keeps its hue.
import {
  CanvasTexture,
  Color,
  DirectionalLight,
  Group,
  HemisphereLight,
  Mesh,
  MeshBasicMaterial,
  PlaneGeometry,
} from 'three';

/** The lights, for a figure of about two units at the origin. */
export interface StudioLights {
  group: Group;
  /**
   * Separates a dark face (`darkness` 1; a light one 0) from the dark behind it: the lights from behind are stronger
   * and paler.
   */
  setForDarkness(darkness: number): void;
}

/** The lights from behind for a light and for a dark face: their colours and intensities. */
const RIM = { colours: ['#ffc79a', '#ffe3cc'], intensities: [1.4, 1.9] } as const;
const KICK = { colours: ['#ffd9c0', '#ffe2cf'], intensities: [0.6, 1.1] } as const;

/** Creates the lights, for a light face. */
export function createStudioLights(): StudioLights {
  const group = new Group();
  const key = new DirectionalLight('#fff0e0', 1.7);
  key.position.set(-1, 1.7, 4.6);
  const fill = new DirectionalLight('#fff3ec', 0.75);
  fill.position.set(2.8, 0.6, 3.4);
  const rim = new DirectionalLight();
  rim.position.set(2.6, 2.2, -3);
  const kick = new DirectionalLight();
  kick.position.set(-3.2, 1.6, -4);
  group.add(key, fill, rim, kick, new HemisphereLight('#fff4ea', '#86685c', 0.9));
  const setForDarkness = (darkness: number) => {
    for (const [light, { colours, intensities }] of [
      [rim, RIM],
      [kick, KICK],
    ] as const) {
      light.color.set(colours[0]).lerp(new Color(colours[1]), darkness);
      light.intensity = intensities[0] + (intensities[1] - intensities[0]) * darkness;
    }
  };
  setForDarkness(0);
  return { group, setForDarkness };
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
