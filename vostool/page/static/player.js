// Plays the clip at its own rate, and waits for frames that have not come.

const AHEAD = 24;

export class Player {
  #begun = null;

  constructor(page) {
    this.page = page;
  }

  toggle() {
    if (this.#begun) this.stop();
    else this.#start();
  }

  stop() {
    this.#begun = null;
    this.#tell();
  }

  #start() {
    const { page } = this;
    if (page.frame === page.clip.frames - 1) page.seek(0);
    this.#begun = { frame: page.frame, at: performance.now() };
    this.#tell();
    requestAnimationFrame(() => this.#tick());
  }

  #tick() {
    if (!this.#begun) return;
    const { page } = this;
    const elapsed = (performance.now() - this.#begun.at) / 1000;
    let next = Math.min(this.#begun.frame + Math.floor(elapsed * page.clip.fps), page.clip.frames - 1);
    page.frames.expect(Array.from({ length: AHEAD }, (_, by) => page.frame + by).filter((frame) => frame < page.clip.frames));
    if (next !== page.frame && !page.frames.has(next)) {
      next = page.frames.has(page.frame + 1) ? page.frame + 1 : page.frame;
      this.#begun = { frame: next, at: performance.now() };
    }
    if (next !== page.frame) page.seek(next);
    if (page.frame === page.clip.frames - 1) this.stop();
    else requestAnimationFrame(() => this.#tick());
  }

  #tell() {
    const button = document.getElementById("play");
    button.textContent = this.#begun ? "Stop" : "Play";
  }
}
