// The clip at a glance: thumbnails, frames with strokes, where each object is, how sure masks are.

const THUMBNAILS = 40;
const MARKED = 12;
const CURVE = 30;
const LEAST_LANE = 3;
const AT_ONCE = 2; // thumbnails that are fetched: a browser has few connections, and the stage needs one

export class Timeline {
  #thumbnails = new Map();
  #coming = 0;
  #still = new OffscreenCanvas(1, 1); // all but where one is
  #stale = true;

  // `clip` has: frames, size, url(frame), frame, marked (Map of frame to objects), masks (Map of
  // frame to LabelMap), version, suggested, objects, colour(object), seek(frame).
  constructor(canvas, clip) {
    [this.canvas, this.clip] = [canvas, clip];
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#seek(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) this.#seek(event);
    });
  }

  #seek(event) {
    const share = (event.clientX - this.canvas.getBoundingClientRect().left) / this.canvas.clientWidth;
    this.clip.seek(Math.floor(share * this.clip.frames));
  }

  // What is shown, but for the frame that is looked at, has changed.
  change() {
    this.#stale = true;
  }

  draw() {
    const { canvas, clip } = this;
    const dots = window.devicePixelRatio || 1;
    const size = [canvas.clientWidth, canvas.clientHeight].map((length) => Math.round(length * dots));
    if (canvas.width !== size[0] || canvas.height !== size[1]) {
      [canvas.width, canvas.height] = size;
      this.#stale = true;
    }
    if (this.#stale) this.#drawStill(dots);
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.#still, 0, 0);
    context.setTransform(dots, 0, 0, dots, 0, 0);
    context.fillStyle = this.ink("--accent");
    context.globalAlpha = 0.25;
    context.fillRect(clip.frame * this.step, 0, Math.max(this.step, 2), canvas.clientHeight);
    context.globalAlpha = 1;
    context.fillRect((clip.frame + 0.5) * this.step - 1, 0, 2, canvas.clientHeight);
    canvas.setAttribute("aria-valuemax", clip.frames - 1);
    canvas.setAttribute("aria-valuenow", clip.frame);
    canvas.setAttribute("aria-valuetext", `frame ${clip.frame} of ${clip.frames - 1}`);
  }

  #drawStill(dots) {
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    [this.#still.width, this.#still.height] = [this.canvas.width, this.canvas.height];
    this.context = this.#still.getContext("2d");
    this.context.setTransform(dots, 0, 0, dots, 0, 0);
    const style = getComputedStyle(document.body);
    this.ink = (name) => style.getPropertyValue(name).trim();
    this.context.fillStyle = this.ink("--ground");
    this.context.fillRect(0, 0, width, height);
    this.step = width / this.clip.frames;
    this.#drawThumbnails(width);
    this.#drawMarked(THUMBNAILS);
    this.#drawSuggested(THUMBNAILS);
    this.#drawLanes(THUMBNAILS + MARKED, height - CURVE - THUMBNAILS - MARKED);
    this.#drawCurve(height - CURVE, CURVE);
    this.#stale = false;
  }

  #drawThumbnails(width) {
    const [rows, columns] = this.clip.size;
    const each = Math.max(24, (THUMBNAILS * columns) / rows);
    for (let x = 0; x < width; x += each) {
      const frame = Math.min(this.clip.frames - 1, Math.floor((x + each / 2) / this.step));
      const picture = this.#thumbnail(frame);
      if (picture) this.context.drawImage(picture, x, 0, each, THUMBNAILS - 1);
    }
  }

  #thumbnail(frame) {
    const known = this.#thumbnails.get(frame);
    if (known !== undefined || this.#coming >= AT_ONCE) return known;
    this.#thumbnails.set(frame, null);
    this.#coming++;
    const image = new Image();
    image.onload = async () => {
      this.#coming--;
      const rows = 2 * THUMBNAILS;
      const columns = Math.round((rows * image.width) / image.height);
      const small = { resizeHeight: rows, resizeWidth: columns, resizeQuality: "medium" };
      this.#thumbnails.set(frame, await createImageBitmap(image, small));
      this.change();
      this.clip.redraw();
    };
    image.onerror = () => {
      this.#coming--;
      setTimeout(() => this.#thumbnails.delete(frame), 1000);
      this.change();
      this.clip.redraw();
    };
    image.src = this.clip.url(frame);
    return null;
  }

  #drawMarked(top) {
    for (const [frame, objects] of this.clip.marked) {
      const first = (frame + 0.5) * this.step - 4 * (objects.size - 1); // side by side
      [...objects].forEach((object, number) => {
        this.context.fillStyle = this.clip.colour(object);
        this.context.strokeStyle = this.ink("--ink");
        this.context.beginPath();
        this.context.arc(first + 8 * number, top + 6, 3.5, 0, 7);
        this.context.fill();
        this.context.stroke();
      });
    }
  }

  // Triangles that point at the frames.
  #drawSuggested(top) {
    this.context.fillStyle = this.ink("--accent");
    for (const frame of this.clip.suggested) {
      const x = (frame + 0.5) * this.step;
      this.context.beginPath();
      this.context.moveTo(x, top - 9);
      this.context.lineTo(x - 6, top);
      this.context.lineTo(x + 6, top);
      this.context.fill();
    }
  }

  #drawLanes(top, room) {
    const { context, clip } = this;
    const lane = Math.max(LEAST_LANE, Math.min(9, room / Math.max(1, clip.objects.length)));
    clip.objects.forEach((object, number) => {
      const y = top + number * lane;
      if (y + lane > top + room + 1) return;
      let most = 1;
      for (const mask of clip.masks.values()) most = Math.max(most, mask.areas.get(object) ?? 0);
      context.fillStyle = clip.colour(object);
      for (const [frame, mask] of clip.masks) {
        const area = mask.areas.get(object) ?? 0;
        if (!area) continue;
        const fresh = mask.version >= clip.version ? 1 : 0.4;
        context.globalAlpha = fresh * (0.15 + 0.85 * Math.sqrt(area / most));
        context.fillRect(frame * this.step, y + 1, this.step + 0.4, lane - 1.5);
      }
    });
    context.globalAlpha = 1;
  }

  #drawCurve(top, height) {
    const { context, clip } = this;
    const known = [...clip.masks.values()];
    if (!known.length) return;
    const least = Math.min(...known.map((mask) => mask.confidence));
    const most = Math.max(...known.map((mask) => mask.confidence), least + 0.02);
    context.strokeStyle = this.ink("--soft");
    context.lineWidth = 1.5;
    context.beginPath();
    for (let frame = 0, before = false; frame < clip.frames; frame++) {
      const mask = clip.masks.get(frame);
      if (mask) {
        const y = top + 3 + (height - 7) * (1 - (mask.confidence - least) / (most - least));
        const x = (frame + 0.5) * this.step;
        if (before) context.lineTo(x, y);
        else context.moveTo(x, y);
      }
      before = Boolean(mask);
    }
    context.stroke();
    context.font = "10px system-ui, sans-serif";
    this.#drawLabel(`sure ${most.toFixed(2)}`, top + 9);
    this.#drawLabel(least.toFixed(2), top + height - 2);
  }

  #drawLabel(text, bottom) {
    const { context } = this;
    context.fillStyle = this.ink("--ground");
    context.fillRect(0, bottom - 9, context.measureText(text).width + 6, 11);
    context.fillStyle = this.ink("--soft");
    context.fillText(text, 3, bottom);
  }
}
