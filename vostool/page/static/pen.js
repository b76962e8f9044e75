// Pointers on the stage: one draws, erases or moves; two fingers move and zoom.

const CLOSE = 6; // pixels of the stage within which the eraser finds a stroke

export class Pen {
  // Of the stroke being drawn, its points in the frame's pixels; null while none is.
  points = null;
  #pointers = new Map();
  #moving = false;
  #stylus = null; // the pointer that is a tablet's pen, while it is down

  // `stage` has: view, tool(), canDraw(), redraw(), begin(), drop(), finish(points), erase(x, y, reach).
  constructor(canvas, stage) {
    [this.canvas, this.stage] = [canvas, stage];
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#cancel(event));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #down(event) {
    if (event.pointerType === "touch" && this.#stylus !== null) return; // the hand that holds the pen
    if (event.pointerType === "pen") {
      this.#pointers.clear();
      this.#stylus = event.pointerId;
      this.#drop();
      this.#moving = false;
    }
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#at(event));
    if (this.#pointers.size === 2) {
      this.#drop(); // the second finger tells that the first was not drawing
      this.#moving = true;
    } else if (event.button !== 0 || this.stage.tool() === "hand") {
      this.#moving = true;
    } else if (this.stage.tool() === "erase") {
      const [x, y] = this.stage.view.toFrame(...this.#at(event));
      this.stage.erase(x, y, CLOSE / this.stage.view.scale);
    } else if (this.stage.canDraw()) {
      this.stage.begin();
      this.points = [this.stage.view.toFrame(...this.#at(event))];
    }
    this.stage.redraw();
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    if (this.points) {
      // Between two frames of the screen a tablet tells of several points.
      const events = event.getCoalescedEvents?.() ?? [];
      for (const one of events.length ? events : [event]) {
        this.points.push(this.stage.view.toFrame(...this.#at(one)));
      }
    } else if (this.#moving) {
      this.#drag(event, before);
    }
    this.#pointers.set(event.pointerId, this.#at(event));
    this.stage.redraw();
  }

  #drag(event, [beforeX, beforeY]) {
    const [x, y] = this.#at(event);
    if (this.#pointers.size === 2) {
      const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const spread = (atX, atY) => Math.hypot(atX - other[0], atY - other[1]) || 1;
      this.stage.view.move((x - beforeX) / 2, (y - beforeY) / 2);
      this.stage.view.zoom(spread(x, y) / spread(beforeX, beforeY), (x + other[0]) / 2, (y + other[1]) / 2);
    } else {
      this.stage.view.move(x - beforeX, y - beforeY);
    }
  }

  #up(event) {
    if (!this.#leave(event)) return;
    if (this.points) {
      this.points.push(this.stage.view.toFrame(...this.#at(event)));
      const points = this.points;
      this.points = null;
      this.stage.finish(points);
    }
    if (this.#pointers.size === 0) this.#moving = false;
    this.stage.redraw();
  }

  #cancel(event) {
    if (!this.#leave(event)) return;
    this.#drop();
    if (this.#pointers.size === 0) this.#moving = false;
    this.stage.redraw();
  }

  // What was being drawn is no stroke.
  #drop() {
    if (this.points) this.stage.drop();
    this.points = null;
  }

  // Whether the pointer that goes was one that counted.
  #leave(event) {
    if (this.#stylus === event.pointerId) this.#stylus = null;
    return this.#pointers.delete(event.pointerId);
  }

  #wheel(event) {
    event.preventDefault();
    const notch = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    this.stage.view.zoom(Math.exp(-notch * (event.ctrlKey ? 0.01 : 0.002)), ...this.#at(event));
    this.stage.redraw();
  }
}

// Points that a line needs: those within a fraction of a pixel of the one before are left out.
export function thinned(points, least) {
  const kept = [points[0]];
  for (const point of points.slice(1)) {
    const last = kept[kept.length - 1];
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) >= least) kept.push(point);
  }
  const end = points[points.length - 1];
  const last = kept[kept.length - 1];
  if (end[0] !== last[0] || end[1] !== last[1]) kept.push(end);
  return kept;
}

// How far a point is from a line of points.
export function distance(points, x, y) {
  let least = Math.hypot(points[0][0] - x, points[0][1] - y);
  for (let i = 1; i < points.length; i++) {
    const [[ax, ay], [bx, by]] = [points[i - 1], points[i]];
    const [dx, dy] = [bx - ax, by - ay];
    const along = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
    least = Math.min(least, Math.hypot(ax + along * dx - x, ay + along * dy - y));
  }
  return least;
}
