// Crops the visitor's picture to a square, by touch, mouse or keys. Only the cropped square is sent.

/** Side of the square that is sent, in pixels. */
const SIDE = 720;
/** Longer side of the picture that is cropped, in pixels. */
const MAX_SIDE = 2400;
/** Maximum zoom, relative to the scale at which the picture just fills the square. */
const MAX_ZOOM = 6;

/** Decodes a file, rotated upright. Rejects if it is not a picture. */
export async function decodePicture(file) {
  const bitmap = await decodeBitmap(file);
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close?.();
  return canvas;
}

async function decodeBitmap(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    // Some browsers decode more formats as an image than as a bitmap.
    const url = URL.createObjectURL(file);
    try {
      const image = new Image();
      image.src = url;
      await image.decode();
      return image;
    } finally {
      URL.revokeObjectURL(url);
    }
  }
}

export class Crop {
  #area;
  #canvas;
  #zoom;
  #picture = null;
  /** The point of the picture in the middle of the square, and square pixels per picture pixel. */
  #x = 0;
  #y = 0;
  #scale = 1;
  #pointers = new Map();

  constructor(area, canvas, zoom) {
    this.#area = area;
    this.#canvas = canvas;
    this.#zoom = zoom;
    canvas.width = canvas.height = SIDE;
    area.addEventListener("pointerdown", (event) => this.#press(event));
    area.addEventListener("pointermove", (event) => this.#drag(event));
    for (const over of ["pointerup", "pointercancel"]) {
      area.addEventListener(over, (event) => this.#pointers.delete(event.pointerId));
    }
    area.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    area.addEventListener("keydown", (event) => this.#key(event));
    zoom.addEventListener("input", () => this.#zoomBy(this.#minScale() * MAX_ZOOM ** (zoom.value / 100) / this.#scale));
  }

  load(picture) {
    this.#picture = picture;
    this.#x = picture.width / 2;
    this.#y = picture.height / 2;
    this.#scale = this.#minScale();
    this.#draw();
  }

  clear() {
    this.#picture = null;
    this.#pointers.clear();
    this.#canvas.getContext("2d").clearRect(0, 0, SIDE, SIDE);
  }

  /** Rotates by 90° to the right, for pictures without orientation data. */
  turn() {
    if (!this.#picture) return;
    const turned = document.createElement("canvas");
    turned.width = this.#picture.height;
    turned.height = this.#picture.width;
    const context = turned.getContext("2d");
    context.translate(turned.width, 0);
    context.rotate(Math.PI / 2);
    context.drawImage(this.#picture, 0, 0);
    [this.#x, this.#y] = [this.#picture.height - this.#y, this.#x];
    this.#picture = turned;
    this.#draw();
  }

  /** The square as a JPEG; null without a picture. */
  picture() {
    if (!this.#picture) return Promise.resolve(null);
    return new Promise((done) => this.#canvas.toBlob(done, "image/jpeg", 0.9));
  }

  /** The scale at which the picture just fills the square. */
  #minScale() {
    return this.#picture ? SIDE / Math.min(this.#picture.width, this.#picture.height) : 1;
  }

  #draw() {
    if (!this.#picture) return;
    const minScale = this.#minScale();
    this.#scale = Math.min(Math.max(this.#scale, minScale), minScale * MAX_ZOOM);
    // Keep the square full.
    const half = SIDE / 2 / this.#scale;
    this.#x = Math.min(Math.max(this.#x, half), this.#picture.width - half);
    this.#y = Math.min(Math.max(this.#y, half), this.#picture.height - half);
    const context = this.#canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#picture, this.#x - half, this.#y - half, half * 2, half * 2, 0, 0, SIDE, SIDE);
    const close = this.#scale / minScale;
    this.#zoom.value = String(Math.round((100 * Math.log(close)) / Math.log(MAX_ZOOM)));
    this.#zoom.setAttribute("aria-valuetext", `${Math.round(close * 100)} %`);
  }

  /** Moves by pixels of the square. */
  #move(dx, dy) {
    this.#x -= dx / this.#scale;
    this.#y -= dy / this.#scale;
    this.#draw();
  }

  /** Zooms by a factor around a point of the square, relative to its middle. */
  #zoomBy(factor, dx = 0, dy = 0) {
    const minScale = this.#minScale();
    const scale = Math.min(Math.max(this.#scale * factor, minScale), minScale * MAX_ZOOM);
    this.#x += dx / this.#scale - dx / scale;
    this.#y += dy / this.#scale - dy / scale;
    this.#scale = scale;
    this.#draw();
  }

  /** The position of a pointer event in pixels of the square, relative to its middle. */
  #position(event) {
    const box = this.#area.getBoundingClientRect();
    const fine = SIDE / box.width;
    return { x: (event.clientX - box.left) * fine - SIDE / 2, y: (event.clientY - box.top) * fine - SIDE / 2 };
  }

  #press(event) {
    if (event.button > 0) return;
    this.#area.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#position(event));
  }

  #drag(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = this.#position(event);
    const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    if (other) {
      // Two fingers: their middle moves the picture, their distance zooms.
      const distance = (point) => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
      this.#move((now.x - before.x) / 2, (now.y - before.y) / 2);
      this.#zoomBy(distance(now) / distance(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    } else {
      this.#move(now.x - before.x, now.y - before.y);
    }
    this.#pointers.set(event.pointerId, now);
  }

  #wheel(event) {
    event.preventDefault();
    const { x, y } = this.#position(event);
    this.#zoomBy(Math.exp(-event.deltaY / 400), x, y);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = SIDE / 24;
    const act = {
      ArrowLeft: () => this.#move(-step, 0),
      ArrowRight: () => this.#move(step, 0),
      ArrowUp: () => this.#move(0, -step),
      ArrowDown: () => this.#move(0, step),
      "+": () => this.#zoomBy(1.12),
      "=": () => this.#zoomBy(1.12),
      "-": () => this.#zoomBy(1 / 1.12),
      r: () => this.turn(),
      R: () => this.turn(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}
