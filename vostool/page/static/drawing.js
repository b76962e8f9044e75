// What is known of the clip: what was drawn on it, and its masks.

const NEIGHBOURS = 2; // frames on each side than which one in doubt is less sure

export class Drawing {
  clip = null;
  version = 0;
  rounds = [];
  names = {};
  strokes = new Map(); // by id: all that the server has told of
  pending = new Map(); // by id: strokes that it has not
  masks = new Map(); // by frame
  earlier = new Map();
  marks = new Map();

  colour(object) {
    const [red, green, blue] = object ? this.clip.palette[object] : [255, 255, 255];
    return `rgb(${red} ${green} ${blue})`;
  }

  objectIds() {
    const ids = new Set([1, ...Object.keys(this.names).map(Number)]);
    for (const stroke of [...this.strokes.values(), ...this.pending.values()]) ids.add(stroke.object_id);
    for (const marks of this.marks.values()) for (const object of marks.areas.keys()) if (object < 255) ids.add(object);
    ids.delete(0);
    return [...ids].sort((a, b) => a - b);
  }

  // The strokes that stand on a frame, in order; those last that the server has not told of.
  standing(frame) {
    const told = this.rounds.flat().map((id) => this.strokes.get(id));
    return [...told, ...this.pending.values()].filter((stroke) => stroke?.frame === frame);
  }

  // The frames with strokes, and the objects that they are of.
  marked() {
    const marked = new Map();
    const add = (frame, object) => marked.set(frame, (marked.get(frame) ?? new Set()).add(object));
    for (const id of this.rounds.flat()) {
      const stroke = this.strokes.get(id);
      if (stroke) add(stroke.frame, stroke.object_id);
    }
    for (const stroke of this.pending.values()) add(stroke.frame, stroke.object_id);
    for (const [frame, marks] of this.marks) for (const object of marks.areas.keys()) add(frame, object % 255);
    return marked;
  }

  // Frames whose masks are less sure than their neighbours', and than those of half the clip.
  unsure() {
    const sure = (frame) => this.masks.get(frame)?.confidence ?? Infinity;
    const sorted = [...this.masks.values()].map((mask) => mask.confidence).sort((a, b) => a - b);
    const middle = sorted[Math.floor(sorted.length / 2)];
    return [...this.masks.keys()].filter((frame) => {
      if (sure(frame) > middle || this.marked().has(frame)) return false;
      for (let by = -NEIGHBOURS; by <= NEIGHBOURS; by++) if (sure(frame + by) < sure(frame)) return false;
      return true;
    });
  }
}
