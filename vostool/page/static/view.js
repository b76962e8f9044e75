// Where the frame lies in the stage: how large, and how far moved. The frame's coordinates count in
// its pixels; pixel i covers i to i + 1.

const LARGEST = 32;
const MARGIN = 8;

export class View {
  scale = 1;
  x = 0;
  y = 0;
  #fitted = true;

  constructor([height, width]) {
    [this.width, this.height] = [width, height];
  }

  // Lay the whole frame in the middle of a stage.
  fit(stageWidth, stageHeight) {
    [this.stageWidth, this.stageHeight] = [stageWidth, stageHeight];
    this.scale = this.#smallest;
    this.x = (stageWidth - this.width * this.scale) / 2;
    this.y = (stageHeight - this.height * this.scale) / 2;
    this.#fitted = true;
  }

  // The stage has another size.
  resize(stageWidth, stageHeight) {
    if (this.#fitted) return this.fit(stageWidth, stageHeight);
    this.x += (stageWidth - this.stageWidth) / 2;
    this.y += (stageHeight - this.stageHeight) / 2;
    [this.stageWidth, this.stageHeight] = [stageWidth, stageHeight];
    this.move(0, 0);
  }

  // Zoom about a point of the stage, which stays where it is.
  zoom(factor, stageX, stageY) {
    const scale = Math.min(LARGEST, Math.max(this.#smallest, this.scale * factor));
    const [x, y] = this.toFrame(stageX, stageY);
    this.scale = scale;
    this.x = stageX - x * scale;
    this.y = stageY - y * scale;
    if (scale === this.#smallest) this.fit(this.stageWidth, this.stageHeight);
    else this.move(0, 0);
  }

  // Move by some pixels of the stage; part of the frame stays to be seen.
  move(dx, dy) {
    this.#fitted = this.#fitted && dx === 0 && dy === 0 && this.scale === this.#smallest;
    const kept = 48;
    this.x = Math.min(this.stageWidth - kept, Math.max(kept - this.width * this.scale, this.x + dx));
    this.y = Math.min(this.stageHeight - kept, Math.max(kept - this.height * this.scale, this.y + dy));
  }

  // From the stage's pixels to the frame's.
  toFrame(stageX, stageY) {
    return [(stageX - this.x) / this.scale, (stageY - this.y) / this.scale];
  }

  // Whether a point lies on the frame.
  holds([x, y]) {
    return x >= 0 && y >= 0 && x < this.width && y < this.height;
  }

  // From a point in the frame's pixels to one in 0..1, as DAVIS JSON has them: 0 and 1 are the
  // middles of the first and the last pixel.
  toShare([x, y]) {
    const share = (value, length) =>
      length === 1 ? 0 : Math.min(1, Math.max(0, (value - 0.5) / (length - 1)));
    return [share(x, this.width), share(y, this.height)];
  }

  // And back.
  fromShare([x, y]) {
    return [x * (this.width - 1) + 0.5, y * (this.height - 1) + 0.5];
  }

  get #smallest() {
    return Math.max(
      0.01,
      Math.min((this.stageWidth - 2 * MARGIN) / this.width, (this.stageHeight - 2 * MARGIN) / this.height),
    );
  }
}
