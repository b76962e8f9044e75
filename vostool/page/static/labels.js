// Label maps as the server sends them, by runs; see vostool/page/messages.py.

export const MASK = 0;
export const EARLIER = 1;
export const MARKS = 2;

export class LabelMap {
  constructor(buffer) {
    const view = new DataView(buffer);
    const number = (index) => view.getUint32(4 * index, true);
    [this.kind, this.frame, this.version] = [number(0), number(1), number(2)];
    this.confidence = view.getFloat32(12, true);
    const runs = number(4);
    this.lengths = new Uint32Array(buffer, 20, runs);
    this.labels = new Uint8Array(buffer, 20 + 4 * runs, runs);
  }

  // The label of each pixel, row by row, into an array of their number.
  expand(pixels) {
    let at = 0;
    for (let run = 0; run < this.lengths.length; run++) {
      const end = at + this.lengths[run];
      pixels.fill(this.labels[run], at, end);
      at = end;
    }
    return pixels;
  }

  // How many pixels each object has, by its id.
  get areas() {
    if (!this.counted) {
      this.counted = new Map();
      for (let run = 0; run < this.lengths.length; run++) {
        const label = this.labels[run];
        if (label) this.counted.set(label, (this.counted.get(label) ?? 0) + this.lengths[run]);
      }
    }
    return this.counted;
  }
}

// Paints label maps in objects' colours.
export class LabelPainter {
  constructor([height, width], palette) {
    [this.width, this.height, this.palette] = [width, height, palette];
    this.canvas = new OffscreenCanvas(width, height);
    this.context = this.canvas.getContext("2d");
    this.image = this.context.createImageData(width, height);
    this.pixels = new Uint8Array(width * height);
  }

  // A canvas of the clip's size; `opacity` in 0..1, `style` is "fill" or "outline", and labels of
  // which `isVisible` says no are left out.
  paint(map, opacity, style, isVisible) {
    const [solid, soft] = [new Uint32Array(256), new Uint32Array(256)];
    for (let label = 1; label < 256; label++) {
      if (!isVisible(label)) continue;
      const [red, green, blue] = this.palette[label];
      const colour = (blue << 16) | (green << 8) | red;
      solid[label] = (colour | (255 << 24)) >>> 0;
      if (style === "fill") soft[label] = (colour | (Math.round(255 * opacity) << 24)) >>> 0;
    }
    map.expand(this.pixels);
    this.#fill(new Uint32Array(this.image.data.buffer), solid, soft);
    this.context.putImageData(this.image, 0, 0);
    return this.canvas;
  }

  #fill(out, solid, soft) {
    const { width, height, pixels } = this;
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        const label = pixels[i];
        if (label === 0) {
          out[i] = 0;
          continue;
        }
        const inside =
          (x === 0 || pixels[i - 1] === label) &&
          (x === width - 1 || pixels[i + 1] === label) &&
          (y === 0 || pixels[i - width] === label) &&
          (y === height - 1 || pixels[i + width] === label);
        out[i] = inside ? soft[label] : solid[label];
      }
    }
  }
}
