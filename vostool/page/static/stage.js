// What is seen of a frame: the picture, the masks over it, the strokes.

const PIXELS_FROM = 3; // from this scale on, the clip's pixels are seen as squares
const LEAST_LINE = 3; // of a stroke on the screen

export class Stage {
  #painted = ""; // how the painter has painted, and of what map
  #map = null;

  // `page` tells what there is; `painter` paints masks.
  constructor(canvas, page, painter) {
    [this.canvas, this.page, this.painter] = [canvas, page, painter];
    this.context = canvas.getContext("2d");
  }

  draw() {
    const { canvas, context, page } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const dots = window.devicePixelRatio || 1;
    const size = [Math.round(width * dots), Math.round(height * dots)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    if (page.view.stageWidth !== width || page.view.stageHeight !== height) page.view.resize(width, height);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const { scale, x, y } = page.view;
    context.setTransform(dots * scale, 0, 0, dots * scale, dots * x, dots * y);
    context.imageSmoothingEnabled = scale * dots < PIXELS_FROM;
    const [rows, columns] = page.clip.size;
    const picture = page.frames.get(page.frame);
    if (picture) context.drawImage(picture, 0, 0, columns, rows);
    this.#drawMask(columns, rows);
    if (page.showsStrokes) this.#drawStrokes();
  }

  #drawMask(columns, rows) {
    const { page } = this;
    const map = (page.isComparing && page.earlier.get(page.frame)) || page.masks.get(page.frame);
    if (!map || page.style === "none") return;
    const hidden = page.objectIds().filter((object) => !page.objects.isVisible(object));
    const wanted = [page.style, page.opacity, hidden].join();
    if (map !== this.#map || wanted !== this.#painted) {
      this.painter.paint(map, page.opacity, page.style, (object) => page.objects.isVisible(object));
      [this.#map, this.#painted] = [map, wanted];
    }
    this.context.drawImage(this.painter.canvas, 0, 0, columns, rows);
  }

  #drawStrokes() {
    const { page } = this;
    const marks = page.marks.get(page.frame);
    if (marks) this.#drawMarks(marks);
    for (const stroke of page.standing(page.frame)) {
      const points = stroke.path.map((point) => page.view.fromShare(point));
      this.#drawLine(points, stroke.object_id, stroke.width ?? 1);
    }
    if (page.pen.points) this.#drawLine(page.pen.points, page.objects.chosen, page.width);
  }

  // A line with a halo that tells it from the mask of the same colour; background is dashed.
  #drawLine(points, object, width) {
    const { context, page } = this;
    const { scale } = page.view;
    const line = Math.max(width, LEAST_LINE / scale);
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...points[0]);
    for (const point of points) context.lineTo(...point);
    context.setLineDash([]);
    context.strokeStyle = object ? "rgb(255 255 255 / 0.9)" : "rgb(0 0 0 / 0.7)";
    context.lineWidth = line + 2 / scale;
    context.stroke();
    context.strokeStyle = page.colour(object);
    context.lineWidth = line;
    if (!object) context.setLineDash([6 / scale, 6 / scale]);
    context.stroke();
    context.setLineDash([]);
  }

  // Strokes that are known by their pixels alone.
  #drawMarks(marks) {
    const { context, page } = this;
    const [, columns] = page.clip.size;
    let at = 0;
    for (let run = 0; run < marks.lengths.length; run++) {
      const [label, end] = [marks.labels[run], at + marks.lengths[run]];
      context.fillStyle = page.colour(label % 255);
      while (label && at < end) {
        const long = Math.min(end - at, columns - (at % columns)); // no further than the row's end
        context.fillRect(at % columns, Math.floor(at / columns), long, 1);
        at += long;
      }
      at = end;
    }
  }
}
