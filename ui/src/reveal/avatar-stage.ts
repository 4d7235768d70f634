// Shows the avatar in 3D. With the other files of this folder the only user of three.js; loaded for the reveal.
import {
  CustomToneMapping,
  Group,
  type Mesh,
  MeshBasicMaterial,
  type Object3D,
  PerspectiveCamera,
  Scene,
  type Texture,
  Vector3,
  type WebGLRenderer,
} from 'three';
import type { AvatarEyes } from '../stage/avatar-eyes.svelte';
import type { AvatarStatistics } from './avatar-statistics';
import { disposeModel } from './dispose-model';
import {
  ANIMATED_BLENDSHAPES,
  blendshapeWeightsAt,
  type Face,
  gazeTowardsViewer,
  idleExpressionAt,
  isRequestedFaceOver,
  type RequestedFace,
  smoothstep,
  supportedFaces,
} from './expression';
import { darknessOfFace, exposureForFace, METER_SIZE, measureFaceLuminance } from './face-exposure';
import { poseAndFrameFigure } from './frame-figure';
import { type LoadedAvatar, loadAvatar } from './load-avatar';
import { makeHairMatt } from './matt-hair';
import { measureFrameInterval } from './next-frame';
import { type AvatarRotation, INITIAL_ORBIT, rotationAfterInput, rotationAfterTime } from './orbit';
import { arkitNamesOfLoadedBlendshape } from './prepare-gltf';
import { ResolutionGovernor } from './resolution-governor';
import { releaseRendererForReuse, takeIdleOrCreateRenderer } from './shared-renderer';
import { markAvatarAsSharp, StillPicture } from './still-picture';
import { loadStudioEnvironment } from './studio-environment';
import { createContactShadow, createStudioLights } from './studio-lights';
import { shadeThroat } from './throat-shade';
import { installToneMapping } from './tone-mapping';
import { compileShadersAndUploadTextures, waitForGpuCommands } from './upload-to-gpu';
import { nodAngleAt, type WelcomeGesture, welcomeGestureAfterTime } from './welcome-gesture';

/** The avatar that is shown, with its controls. */
export interface ShownAvatarControls {
  /** Turns it by radians. */
  turn(x: number, y: number): void;
  /** Starts its time anew: it notices the viewer and smiles. */
  greetViewer(): void;
  /** Steps towards the viewer, in more light, and nods; or steps back. */
  setWelcoming(isWelcoming: boolean): void;
  /** Stops all movement while it is covered, and continues afterwards. */
  setPaused(paused: boolean): void;
  /** The faces that it can make. */
  faces: Face[];
  /** What the file contains. */
  statistics: AvatarStatistics;
  /** Where its eyes are at the start; null when the file does not tell. */
  eyes: AvatarEyes | null;
  /** Whether it stands on its feet. Anything else fades out at its lower edge. */
  standsOnFeet: boolean;
  /** Plays a face. */
  makeFace(face: Face): void;
  /** Stops, and releases its resources on the graphics card. */
  close(): void;
}

/** How the avatar is shown. */
export interface ShownAvatarOptions {
  /** Nothing moves on its own. */
  reducedMotion: boolean;
  /** Whether the machine is known to render in software. */
  softwareRendering: boolean;
  /** Cancels the loading. */
  signal: AbortSignal;
  /** Called when the WebGL context is lost. */
  onContextLost: (error: Error) => void;
}

/**
 * Loads the GLB and shows it on a canvas in `place`. Resolves after the first frame. Rejects without WebGL, when the
 * file cannot be loaded or parsed, or when it contains nothing visible.
 */
export async function loadAndShowAvatar(
  place: HTMLElement,
  url: string,
  { reducedMotion, softwareRendering: spare, signal, onContextLost: onLost }: ShownAvatarOptions,
): Promise<ShownAvatarControls> {
  // First, so that a missing WebGL is known before anything is loaded.
  const renderer = takeIdleOrCreateRenderer(spare, reducedMotion);
  const canvas = renderer.domElement;
  place.append(canvas);
  const gone = new AbortController();
  const lostEarly = () => gone.abort(new Error('the WebGL context was lost'));
  canvas.addEventListener('webglcontextlost', lostEarly, { once: true });
  const ended = AbortSignal.any([signal, gone.signal]);
  const begun = performance.now();
  let loaded: LoadedAvatar | null = null;
  let light: Texture | null = null;
  try {
    light = await loadStudioEnvironment(ended);
    loaded = await loadAvatar(url, ended, renderer);
    ended.throwIfAborted();
    const shown = await startAvatarScene(canvas, renderer, loaded, light, {
      reducedMotion,
      signal: ended,
      onContextLost: onLost,
    });
    const statistics = {
      ...loaded.statistics,
      bytes: loaded.bytes,
      drawCalls: renderer.info.render.calls,
      milliseconds: Math.round(performance.now() - begun),
    };
    return { ...shown, statistics };
  } catch (error) {
    if (loaded) disposeModel(loaded.model);
    light?.dispose();
    releaseRendererForReuse(renderer);
    throw error;
  } finally {
    canvas.removeEventListener('webglcontextlost', lostEarly);
  }
}

/** The intensity of the environment map, and what a dark face gets in addition: its highlights shape it. */
const ENVIRONMENT = 0.55;
const DARK_FACE_ENVIRONMENT = 0.08;

/** Seconds after which the greeting is over, with a smile, and seconds since the last input, before a still is drawn. */
const GREETING_SECONDS = 3.2;
const SECONDS_BEFORE_STILL = 8;
/** How much larger and brighter the avatar is when it welcomes the viewer. */
const WELCOME_GROWTH = 0.12;
const WELCOME_LIGHT = 0.12;

/** Builds the scene around the model, uploads it, draws the first frame, and starts animation and input. */
async function startAvatarScene(
  canvas: HTMLCanvasElement,
  renderer: WebGLRenderer,
  { model, facesBack }: LoadedAvatar,
  light: Texture,
  { reducedMotion, signal, onContextLost: onLost }: Omit<ShownAvatarOptions, 'softwareRendering'>,
): Promise<Omit<ShownAvatarControls, 'statistics'>> {
  const { size, standsOnFeet, face, eyes, chin } = await poseAndFrameFigure(model, facesBack, signal);
  disableCullingAndToneMapping(model);
  makeHairMatt(model);
  const throatShade = chin && shadeThroat(model, chin);
  installToneMapping();
  renderer.toneMapping = CustomToneMapping;
  renderer.toneMappingExposure = 1;

  const scene = new Scene();
  const turntable = new Group();
  turntable.add(model);
  const shadow = createContactShadow();
  // Only what stands on feet has a shadow: a bust would float over it.
  shadow.visible = standsOnFeet;
  shadow.position.y = -size.y / 2 - 0.03;
  shadow.scale.set(size.x * 1.7, Math.max(size.z, size.x * 0.7) * 1.6, 1);
  scene.environment = light;
  scene.environmentIntensity = ENVIRONMENT;
  const lights = createStudioLights();
  scene.add(turntable, shadow, lights.group);

  const camera = new PerspectiveCamera(26, 1, 0.1, 50);
  const morphs = findAnimatedBlendshapes(model);
  let orbit: AvatarRotation = INITIAL_ORBIT;
  let clock = 0;
  /** Frames that take long slow the clock, but not the viewer. */
  let greetedAt = performance.now();
  let frame = 0;
  const pace = new ResolutionGovernor(await measureFrameInterval());
  let welcome: WelcomeGesture = { isWanted: false, since: 0, share: 0 };
  let exposure = 1;

  const resize = () => {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (width === 0 || height === 0) return;
    renderer.setPixelRatio(pace.pixelRatio(width, height, window.devicePixelRatio));
    renderer.setSize(width, height, false);
    camera.aspect = width / height;
    // Fills most of the canvas's height, and never more than its width.
    const reach = Math.max(size.y / 0.84, Math.max(size.x, size.z) / 0.8 / camera.aspect) / 2;
    camera.position.set(0, 0, reach / Math.tan((camera.fov * Math.PI) / 360) + size.z / 2);
    camera.updateProjectionMatrix();
  };

  let asked: RequestedFace | null = null;

  const draw = () => {
    const pitch = orbit.pitch + nodAngleAt(welcome);
    const forward = smoothstep(welcome.share);
    turntable.rotation.set(pitch, orbit.yaw, 0);
    turntable.scale.setScalar(1 + WELCOME_GROWTH * forward);
    turntable.position.y = -0.03 * forward;
    renderer.toneMappingExposure = exposure * (1 + WELCOME_LIGHT * forward);
    const gaze = gazeTowardsViewer(orbit.yaw, pitch, clock, reducedMotion);
    const face = blendshapeWeightsAt(clock, asked, reducedMotion, gaze);
    for (const { weights, index, shapes } of morphs)
      weights[index] = Math.max(...shapes.map((shape) => face.get(shape) ?? 0));
    throatShade?.update(turntable, camera);
    renderer.render(scene, camera);
  };

  /** Adapts light and exposure to the face. The canvas has the size for it. */
  const exposeForFace = async () => {
    const measure = () => (face ? measureFaceLuminance(renderer, camera, face, draw, signal) : null);
    const asIs = await measure();
    if (asIs === null) return;
    const darkness = darknessOfFace(asIs);
    lights.setForDarkness(darkness);
    // The stage lights a dark face from behind less: it would be as bright as the face.
    renderer.domElement.parentElement?.toggleAttribute('data-dark-face', darkness > 0.5);
    scene.environmentIntensity += DARK_FACE_ENVIRONMENT * darkness;
    let measured = (await measure()) ?? asIs;
    // The tone mapping is not linear: the second step corrects the first.
    for (let step = 0; step < 2; step += 1) {
      const before = { measured, exposure };
      exposure = exposureForFace(measured, before.exposure);
      if (Math.abs(exposure - before.exposure) < 0.02) return;
      measured = (await measure()) ?? measured;
      // An unlit face does not change, and the rest of the figure must not either.
      if (Math.abs(measured - before.measured) < 0.02 * before.measured) {
        exposure = 1;
        return;
      }
    }
  };

  const timed = async () => {
    const before = performance.now();
    draw();
    await waitForGpuCommands(renderer, signal);
    return performance.now() - before;
  };

  const still = new StillPicture({ renderer, camera, draw });
  const isSmoothed = renderer.getContext().getContextAttributes()?.antialias === true;
  /** Whether nothing moves but the avatar itself, on a machine that draws it sharply only when it does not move. */
  const mayHoldStill = () =>
    (pace.isReduced || !isSmoothed) &&
    !asked &&
    (clock > GREETING_SECONDS || performance.now() - greetedAt > 2000 * GREETING_SECONDS) &&
    orbit.idle > SECONDS_BEFORE_STILL &&
    welcome.share === (welcome.isWanted ? 1 : 0) &&
    nodAngleAt(welcome) === 0 &&
    idleExpressionAt(clock).blink === 0;

  let last = 0;
  let drawn = 0;
  let isPaused = false;
  let isResized = false;

  const loop = (now: number) => {
    frame = requestAnimationFrame(loop);
    if (drawn !== 0) {
      isResized = pace.addFrameTime(now - drawn, now) || isResized;
      drawn = 0;
    }
    if (!pace.isFrameDue(now)) return;
    // After a pause, the time continues where it stopped.
    const seconds = last === 0 ? 0 : Math.min(0.1, (now - last) / 1000);
    last = now;
    clock += seconds;
    orbit = rotationAfterTime(orbit, seconds, clock);
    if (asked) asked = { ...asked, since: asked.since + seconds };
    if (asked && isRequestedFaceOver(asked)) asked = null;
    welcome = welcomeGestureAfterTime(welcome, seconds);
    // Resizing clears the canvas: only directly before the next frame.
    if (isResized) resize();
    isResized = false;
    if (mayHoldStill()) {
      cancelAnimationFrame(frame);
      const full = pace.fullPixelRatio(canvas.clientWidth, canvas.clientHeight, window.devicePixelRatio);
      still.hold(Math.round(canvas.clientWidth * full), Math.round(canvas.clientHeight * full));
      return;
    }
    draw();
    drawn = now;
    markAvatarAsSharp(canvas, isSmoothed && !pace.isReduced);
  };

  const run = () => {
    cancelAnimationFrame(frame);
    last = 0;
    drawn = 0;
    if (still.isHeld) {
      still.release();
      // At once: until the next frame the canvas would be empty.
      resize();
      draw();
    }
    if (document.hidden || isPaused) return;
    if (reducedMotion) {
      draw();
      markAvatarAsSharp(canvas, isSmoothed);
    } else frame = requestAnimationFrame(loop);
  };

  const turn = (x: number, y: number, seconds = 0) => {
    orbit = rotationAfterInput(orbit, x, y, reducedMotion ? 0 : seconds);
    if (reducedMotion) draw();
    else if (still.isHeld) run();
  };

  const lost = (event: Event) => {
    event.preventDefault();
    onLost(new Error('the WebGL context was lost'));
  };

  try {
    await compileShadersAndUploadTextures(renderer, scene, camera, signal);
    // The shaders are compiled on the first draw. A tiny frame keeps other work out of that wait.
    resize();
    renderer.setPixelRatio(1);
    renderer.setSize(METER_SIZE, METER_SIZE, false);
    draw();
    await waitForGpuCommands(renderer, signal);
    await exposeForFace();
    resize();
    await timed();
    // A single slow frame may have another cause.
    if (!reducedMotion && pace.checkWarmUpFrames(await timed(), await timed())) {
      resize();
      await timed();
    }
  } catch (error) {
    disposeModel(scene);
    throw error;
  }
  const resized = new ResizeObserver(() => {
    if (still.isHeld) return run();
    resize();
    draw();
  });
  resized.observe(canvas);
  canvas.addEventListener('webglcontextlost', lost);
  document.addEventListener('visibilitychange', run);
  const letGo = turnAvatarWithPointer(canvas, turn);
  run();

  /** The eyes on the canvas, with the avatar turned as at the start. */
  const projectEyes = (): AvatarEyes | null => {
    if (!eyes) return null;
    turntable.rotation.set(INITIAL_ORBIT.pitch, INITIAL_ORBIT.yaw, 0);
    turntable.updateMatrixWorld();
    camera.updateMatrixWorld();
    const [middle, beside] = [0, eyes.distance / 2].map((x) => {
      const point = eyes.middle.clone().add(new Vector3(x, 0, 0));
      return point.applyMatrix4(turntable.matrixWorld).project(camera);
    });
    if (!middle || !beside) return null;
    const [width, height] = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    return { x: middle.x * width, y: -middle.y * height, distance: 2 * (beside.x - middle.x) * width };
  };

  return {
    turn,
    eyes: projectEyes(),
    standsOnFeet,
    greetViewer() {
      clock = 0;
      greetedAt = performance.now();
      orbit = INITIAL_ORBIT;
      if (still.isHeld) run();
    },
    setWelcoming(isWanted) {
      if (isWanted === welcome.isWanted) return;
      welcome = { ...welcome, isWanted, since: 0, share: reducedMotion ? Number(isWanted) : welcome.share };
      // It steps forward with its face to the viewer.
      if (isWanted) orbit = { ...orbit, spin: 0, idle: Math.max(orbit.idle, SECONDS_BEFORE_STILL) };
      if (reducedMotion) draw();
      else if (still.isHeld) run();
    },
    setPaused(paused) {
      if (paused === isPaused) return;
      isPaused = paused;
      run();
    },
    faces: supportedFaces(new Set(morphs.flatMap(({ shapes }) => shapes))),
    makeFace(face) {
      asked = { face, since: 0 };
      if (reducedMotion) draw();
      else if (still.isHeld) run();
    },
    close() {
      cancelAnimationFrame(frame);
      still.release();
      resized.disconnect();
      canvas.removeEventListener('webglcontextlost', lost);
      document.removeEventListener('visibilitychange', run);
      letGo();
      disposeModel(scene);
      light.dispose();
      releaseRendererForReuse(renderer);
    },
  };
}

/** Disables frustum culling of all objects, and tone mapping of unlit materials. */
function disableCullingAndToneMapping(model: Object3D): void {
  model.traverse((object) => {
    // The figure is always in view. Culling would compute the bounds of its skin anew.
    object.frustumCulled = false;
    const { material } = object as Partial<Mesh>;
    // Unlit colours are final.
    for (const one of Array.isArray(material) ? material : material ? [material] : [])
      if (one instanceof MeshBasicMaterial) one.toneMapped = false;
  });
}

/** An animated blendshape: its mesh's array of weights, its index in that array, and ARKit's names of what it moves. */
interface LoadedBlendshape {
  weights: number[];
  index: number;
  shapes: string[];
}

/** Every animated blendshape of the model. */
function findAnimatedBlendshapes(model: Object3D): LoadedBlendshape[] {
  const found: LoadedBlendshape[] = [];
  model.traverse((object) => {
    const { morphTargetDictionary: known, morphTargetInfluences: weights } = object as Mesh;
    if (!known || !weights) return;
    for (const [name, index] of Object.entries(known)) {
      const shapes = arkitNamesOfLoadedBlendshape(name).filter((shape) => ANIMATED_BLENDSHAPES.has(shape));
      if (shapes.length > 0) found.push({ weights, index, shapes });
    }
  });
  return found;
}

/** Turns the avatar with mouse or finger, until the returned function is called. */
function turnAvatarWithPointer(
  canvas: HTMLCanvasElement,
  turn: (x: number, y: number, seconds: number) => void,
): () => void {
  let at: { id: number; x: number; y: number; time: number } | null = null;
  const down = (event: PointerEvent) => {
    at = { id: event.pointerId, x: event.clientX, y: event.clientY, time: event.timeStamp };
    canvas.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent) => {
    if (!at || event.pointerId !== at.id) return;
    const perPixel = Math.PI / Math.max(320, canvas.clientWidth);
    const seconds = (event.timeStamp - at.time) / 1000;
    turn((event.clientX - at.x) * perPixel, (event.clientY - at.y) * perPixel, seconds);
    at = { id: at.id, x: event.clientX, y: event.clientY, time: event.timeStamp };
  };
  const up = (event: PointerEvent) => {
    if (event.pointerId === at?.id) at = null;
  };
  canvas.addEventListener('pointerdown', down);
  canvas.addEventListener('pointermove', move);
  canvas.addEventListener('pointerup', up);
  canvas.addEventListener('pointercancel', up);
  return () => {
    canvas.removeEventListener('pointerdown', down);
    canvas.removeEventListener('pointermove', move);
    canvas.removeEventListener('pointerup', up);
    canvas.removeEventListener('pointercancel', up);
  };
}
