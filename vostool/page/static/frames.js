// The clip's frames as bitmaps: those last seen are kept, those to be played next are fetched ahead.

const MOST_BYTES = 256 << 20;
const AT_ONCE = 6;

export class Frames {
  #kept = new Map();
  #coming = new Map();

  constructor([height, width], fingerprint, onCome) {
    this.most = Math.max(16, Math.floor(MOST_BYTES / (4 * width * height)));
    [this.fingerprint, this.onCome] = [fingerprint, onCome];
  }

  url(frame) {
    return `./frames/${frame}.jpg?of=${this.fingerprint.slice(0, 12)}`;
  }

  // A frame's bitmap; null while it comes.
  get(frame) {
    const bitmap = this.#kept.get(frame);
    if (bitmap) {
      this.#kept.delete(frame);
      this.#kept.set(frame, bitmap);
      return bitmap;
    }
    this.#fetch(frame);
    return null;
  }

  // Fetch some frames that will be wanted soon.
  expect(frames) {
    for (const frame of frames) {
      if (this.#coming.size >= AT_ONCE) return;
      if (!this.#kept.has(frame)) this.#fetch(frame);
    }
  }

  has(frame) {
    return this.#kept.has(frame);
  }

  async #fetch(frame) {
    if (this.#coming.has(frame)) return;
    this.#coming.set(frame, true);
    try {
      const answer = await fetch(this.url(frame));
      if (!answer.ok) throw new Error(await answer.text());
      this.#kept.set(frame, await createImageBitmap(await answer.blob()));
      while (this.#kept.size > this.most) {
        const [oldest, bitmap] = this.#kept.entries().next().value;
        this.#kept.delete(oldest);
        bitmap.close();
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1000)); // asked for again when it is drawn
    } finally {
      this.#coming.delete(frame);
    }
    this.onCome(frame);
  }
}
