// The visitor's picture, cut to a square by hand: finger, mouse or keys. It never leaves the phone uncut.

/** Pixels of the square that is sent. */
const SIDE = 720;
/** The longer side of what is kept to cut from. */
const LARGEST = 2400;
/** How much closer than "as much as fits" one can go. */
const CLOSEST = 6;

/** Decodes a file, upright as its camera meant it. Rejects what is no picture. */
export async function open(file) {
  const bitmap = await decode(file);
  const scale = Math.min(1, LARGEST / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close?.();
  return canvas;
}

async function decode(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    // Some browsers open more as an image than as a bitmap.
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
  /** The picture's place in the middle of the square, and square pixels a picture pixel. */
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
    zoom.addEventListener("input", () => this.#closer(this.#least() * CLOSEST ** (zoom.value / 100) / this.#scale));
  }

  load(picture) {
    this.#picture = picture;
    this.#x = picture.width / 2;
    this.#y = picture.height / 2;
    this.#scale = this.#least();
    this.#draw();
  }

  clear() {
    this.#picture = null;
    this.#pointers.clear();
    this.#canvas.getContext("2d").clearRect(0, 0, SIDE, SIDE);
  }

  /** A quarter to the right, for pictures whose camera did not know how it was held. */
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

  /** The square as a JPEG; null when there is none. */
  picture() {
    if (!this.#picture) return Promise.resolve(null);
    return new Promise((done) => this.#canvas.toBlob(done, "image/jpeg", 0.9));
  }

  /** The scale at which the picture just fills the square. */
  #least() {
    return this.#picture ? SIDE / Math.min(this.#picture.width, this.#picture.height) : 1;
  }

  #draw() {
    if (!this.#picture) return;
    const least = this.#least();
    this.#scale = Math.min(Math.max(this.#scale, least), least * CLOSEST);
    // The square is always full.
    const half = SIDE / 2 / this.#scale;
    this.#x = Math.min(Math.max(this.#x, half), this.#picture.width - half);
    this.#y = Math.min(Math.max(this.#y, half), this.#picture.height - half);
    const context = this.#canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#picture, this.#x - half, this.#y - half, half * 2, half * 2, 0, 0, SIDE, SIDE);
    const close = this.#scale / least;
    this.#zoom.value = String(Math.round((100 * Math.log(close)) / Math.log(CLOSEST)));
    this.#zoom.setAttribute("aria-valuetext", `${Math.round(close * 100)} %`);
  }

  /** Moves by pixels of the square. */
  #move(dx, dy) {
    this.#x -= dx / this.#scale;
    this.#y -= dy / this.#scale;
    this.#draw();
  }

  /** Goes closer by a factor; what is at a place of the square (from its middle) stays there. */
  #closer(factor, dx = 0, dy = 0) {
    const least = this.#least();
    const scale = Math.min(Math.max(this.#scale * factor, least), least * CLOSEST);
    this.#x += dx / this.#scale - dx / scale;
    this.#y += dy / this.#scale - dy / scale;
    this.#scale = scale;
    this.#draw();
  }

  /** A place on the screen as pixels of the square, from its middle. */
  #place(event) {
    const box = this.#area.getBoundingClientRect();
    const fine = SIDE / box.width;
    return { x: (event.clientX - box.left) * fine - SIDE / 2, y: (event.clientY - box.top) * fine - SIDE / 2 };
  }

  #press(event) {
    if (event.button > 0) return;
    this.#area.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#place(event));
  }

  #drag(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = this.#place(event);
    const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    if (other) {
      // Two fingers: their middle moves the picture, their distance its size.
      const apart = (place) => Math.max(1, Math.hypot(place.x - other.x, place.y - other.y));
      this.#move((now.x - before.x) / 2, (now.y - before.y) / 2);
      this.#closer(apart(now) / apart(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    } else {
      this.#move(now.x - before.x, now.y - before.y);
    }
    this.#pointers.set(event.pointerId, now);
  }

  #wheel(event) {
    event.preventDefault();
    const { x, y } = this.#place(event);
    this.#closer(Math.exp(-event.deltaY / 400), x, y);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = SIDE / 24;
    const act = {
      ArrowLeft: () => this.#move(-step, 0),
      ArrowRight: () => this.#move(step, 0),
      ArrowUp: () => this.#move(0, -step),
      ArrowDown: () => this.#move(0, step),
      "+": () => this.#closer(1.12),
      "=": () => this.#closer(1.12),
      "-": () => this.#closer(1 / 1.12),
      r: () => this.turn(),
      R: () => this.turn(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}
