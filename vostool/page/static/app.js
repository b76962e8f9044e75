// The page: what happens when the server says something, and when a person does.

import { Connection } from "./connection.js";
import { listenToControls } from "./controls.js";
import { Drawing } from "./drawing.js";
import { Frames } from "./frames.js";
import { EARLIER, LabelMap, LabelPainter, MARKS } from "./labels.js";
import { ObjectList } from "./objects.js";
import { Pen, distance, thinned } from "./pen.js";
import { Player } from "./player.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";
import { View } from "./view.js";

const LEAST_STEP = 0.4; // between two points of a stroke, in pixels of the screen
const LOOK_EVERY = 120; // milliseconds

const $ = (id) => document.getElementById(id);

// Of a stroke; crypto.randomUUID is not there where a page is reached by --host.
function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

class Page extends Drawing {
  frame = 0;
  tool = "draw";
  width = 1;
  ready = false;
  suggestions = { frames: [], version: -1 };
  #asked = false;
  #timing = null;
  #progress = { what: "", done: 0, total: 0 };
  #trouble = "";
  #toldOver = 0;
  #looked = { frame: -1, at: 0 };

  constructor() {
    super();
    this.connection = new Connection();
    this.connection.addEventListener("message", ({ detail }) => this.#hear(detail));
    this.connection.addEventListener("labels", ({ detail }) => this.#takeLabels(new LabelMap(detail)));
    this.connection.addEventListener("lost", () => this.#tellStatus());
    this.objects = new ObjectList($("object-list"), {
      onChange: () => this.redraw(true),
      onName: (object, name) => this.#do({ do: "name", object_id: object, name }),
    });
    listenToControls(this);
    window.addEventListener("beforeunload", (event) => this.pending.size && event.preventDefault());
  }

  // What the server says.

  #hear(message) {
    const hear = {
      hello: () => this.#greet(message),
      document: () => this.#takeDocument(message),
      ready: () => this.#begin(message.frames),
      progress: () => (this.#progress = message),
      trouble: () => this.#show((this.#trouble = message.text), true),
      refused: () => this.#refuse(message),
      suggested: () => this.#takeSuggestions(message),
      saved: () => this.tell(message.text),
    }[message.type];
    hear?.();
    this.#tellStatus();
    this.redraw(true);
  }

  #greet(hello) {
    const again = this.clip?.fingerprint === hello.fingerprint;
    this.clip = hello;
    this.strokes = new Map(hello.strokes.map((stroke) => [stroke.id, stroke]));
    this.ready = hello.ready;
    if (!again) {
      $("clip").textContent = hello.clip;
      document.title = `${hello.clip} – vostool`;
      this.frames = new Frames(hello.size, hello.fingerprint, () => this.redraw());
      this.view = new View(hello.size);
      this.stage = new Stage($("canvas"), this, new LabelPainter(hello.size, hello.palette));
      this.pen = new Pen($("canvas"), this.#penTable());
      this.timeline = new Timeline($("timeline"), this.#timelineTable());
      this.player = new Player(this);
      new ResizeObserver(() => this.redraw(true)).observe($("stage"));
      this.seek(Number(location.hash.slice(1)) || 0); // where one was before the tab was reloaded
    }
    this.#looked.frame = -1;
    this.#look();
    this.#sendPending();
  }

  #begin(frames) {
    this.clip.frames = frames;
    this.ready = true;
    this.seek(this.frame);
  }

  #takeDocument(message) {
    for (const stroke of message.strokes ?? []) this.strokes.set(stroke.id, stroke);
    for (const id of this.pending.keys()) {
      if (!this.strokes.has(id)) continue;
      this.pending.delete(id);
      if (this.#timing?.id === id) this.#timing.version = message.version;
    }
    [this.version, this.rounds, this.names] = [message.version, message.rounds, message.names];
    if (!this.rounds.length && !this.marks.size) for (const maps of [this.masks, this.earlier]) maps.clear();
    [$("undo").disabled, $("redo").disabled] = [!message.undo, !message.redo];
    this.objects.show(this.objectIds(), this.names, (object) => this.colour(object));
  }

  #takeLabels(map) {
    if (map.kind === MARKS) this.marks.set(map.frame, map);
    else if (map.kind === EARLIER) this.earlier.set(map.frame, map);
    else if (this.rounds.length || this.marks.size) this.masks.set(map.frame, map);
    const timing = this.#timing;
    if (timing?.version && map.frame === timing.frame && map.version >= timing.version) {
      timing.came = true;
    }
    this.objects.show(this.objectIds(), this.names, (object) => this.colour(object));
    this.#tellStatus();
    this.redraw(true);
  }

  #takeSuggestions({ frames, version }) {
    this.suggestions = { frames, version };
    if (!this.#asked) return;
    this.#asked = false;
    if (!frames.length) return this.tell("draw on something first");
    this.player.stop();
    this.seek(frames[0]);
  }

  #refuse({ id, text }) {
    this.pending.delete(id);
    this.tell(text);
  }

  // What a person does.

  #do(action) {
    if (!this.connection.send(action)) this.tell("not connected; try again in a moment");
  }

  // Add the strokes of a file's content, as DAVIS JSON.
  open(text, name) {
    try {
      this.#do({ do: "open", scribbles: JSON.parse(text) });
    } catch {
      this.tell(`${name}: not a JSON file`);
    }
  }

  finishStroke(points) {
    if (!points.some((point) => this.view.holds(point))) return this.dropStroke(); // beside the frame
    const thin = thinned(points, LEAST_STEP / this.view.scale);
    const stroke = {
      do: "draw",
      id: newId(),
      frame: this.frame,
      object_id: this.objects.chosen,
      width: this.width,
      path: thin.map((point) => this.view.toShare(point)),
    };
    this.pending.set(stroke.id, stroke);
    this.#timing = { id: stroke.id, frame: stroke.frame, since: performance.now() };
    this.connection.send(stroke);
    this.redraw(true);
  }

  dropStroke = () => this.connection.send({ do: "release" });

  #sendPending() {
    for (const stroke of this.pending.values()) {
      if (!this.strokes.has(stroke.id)) this.connection.send(stroke);
    }
  }

  eraseAt(x, y, reach) {
    const near = this.standing(this.frame)
      .map((stroke) => {
        const points = stroke.path.map((point) => this.view.fromShare(point));
        return [distance(points, x, y) - (stroke.width ?? 1) / 2, stroke];
      })
      .filter(([away, stroke]) => away <= reach && this.strokes.has(stroke.id))
      .sort(([a], [b]) => a - b);
    if (near.length) this.#do({ do: "erase", ids: [near[0][1].id] });
  }

  undo = () => this.#do({ do: "undo" });
  redo = () => this.#do({ do: "redo" });
  save = () => this.#do({ do: "save" });
  choose = (object) => {
    if (object === 0 || this.objectIds().includes(object)) this.objects.choose(object);
    this.setTool("draw");
  };
  addObject = () => {
    const object = Math.max(...this.objectIds()) + 1;
    if (object > 254) return;
    this.#do({ do: "name", object_id: object, name: `object ${object}` });
    this.objects.chosen = object;
    this.setTool("draw");
  };
  toggleObject = () => this.objects.chosen && this.objects.toggle(this.objects.chosen);
  setTool = (tool) => this.#check("tool", tool);
  changeStyle = () => this.#check("style", this.style === "fill" ? "outline" : "fill");
  toggleMasks = () => this.#check("style", this.style === "none" ? "fill" : "none");
  toggleStrokes = () => $("show-strokes").click();
  toggleCompare = () => $("compare").click();
  changeWidth = (by) => {
    $("width").value = Number($("width").value) + by;
    $("width").dispatchEvent(new Event("input"));
  };
  zoom = (factor) => {
    this.view?.zoom(factor, this.view.stageWidth / 2, this.view.stageHeight / 2);
    this.redraw();
  };
  zoomFit = () => {
    this.view?.fit(this.view.stageWidth, this.view.stageHeight);
    this.redraw();
  };
  help = () => $("keys").showModal();
  // Go to the next frame that the server suggests; ask for it where it has not been asked.
  suggest = () => {
    const { frames, version } = this.suggestions;
    if (version === this.version && frames.length) this.#jump([...frames], 1);
    else {
      this.#asked = true;
      this.#do({ do: "suggest" });
    }
  };
  play = () => this.player?.toggle();
  step = (by) => {
    this.player?.stop();
    this.seek(this.frame + by);
  };
  nextMarked = (way) => this.#jump([...this.marked().keys()], way, "no frame has strokes yet");
  nextUnsure = () => this.#jump(this.unsure(), 1, "no mask is in doubt yet");

  seek(frame) {
    this.frame = Math.max(0, Math.min(this.clip.frames - 1, frame));
    this.#look();
    this.redraw();
  }

  #jump(frames, way, elseTell) {
    const sorted = frames.sort((a, b) => way * (a - b));
    if (!sorted.length) return this.tell(elseTell);
    this.player.stop();
    this.seek(sorted.find((frame) => way * (frame - this.frame) > 0) ?? sorted[0]);
  }

  // Tell the server which frame is looked at, now and then.
  #look() {
    const looked = this.#looked;
    if (looked.frame === this.frame) return;
    const wait = looked.at + LOOK_EVERY - performance.now();
    if (wait > 0) {
      clearTimeout(looked.later);
      looked.later = setTimeout(() => this.#look(), wait);
      return;
    }
    if (this.connection.send({ do: "look", frame: this.frame })) looked.frame = this.frame;
    looked.at = performance.now();
    history.replaceState(null, "", `#${this.frame}`);
  }

  // What is known.

  get style() {
    return document.querySelector('[name="style"]:checked').value;
  }

  get opacity() {
    return Number($("opacity").value) / 100;
  }

  get isComparing() {
    return $("compare").checked;
  }

  get showsStrokes() {
    return $("show-strokes").checked;
  }

  // What is told.

  redraw(all = false) {
    if (all) this.timeline?.change();
    if (this.drawing || !this.stage) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.stage.draw();
      this.timeline.draw();
      this.#tellFrame();
      this.#tellLatency();
    });
  }

  #tellFrame() {
    const mask = this.masks.get(this.frame);
    const sure = mask ? ` · sure ${mask.confidence.toFixed(2)}` : "";
    $("frame-told").textContent = `frame ${this.frame} of ${this.clip.frames - 1}${sure}`;
    $("zoom-told").textContent = `${Math.round(100 * this.view.scale)} %`;
    $("hint").hidden = !this.ready || this.rounds.length > 0 || this.pending.size > 0 || this.marks.size > 0;
    $("corner").textContent = !this.isComparing
      ? ""
      : this.earlier.has(this.frame) ? "mask of the last round" : "no other mask in the last round";
  }

  #tellLatency() {
    if (!this.#timing?.came) return;
    const milliseconds = Math.round(performance.now() - this.#timing.since);
    $("latency").textContent = `${milliseconds} ms`;
    $("latency").dataset.milliseconds = milliseconds;
    $("latency").dataset.id = this.#timing.id;
    this.#timing = null;
  }

  #tellStatus() {
    const { what, done, total } = this.#progress;
    const fresh = [...this.masks.values()].filter((mask) => mask.version >= this.version).length;
    let text = "";
    if (!this.connection.isOpen) text = "connection lost; trying again…";
    else if (what) text = total ? `${what}: ${done} of ${total} frames` : what;
    else if (!this.ready) text = "loading…";
    else if (!this.clip || (!this.rounds.length && !this.marks.size)) text = "ready";
    else text = fresh < this.clip.frames ? `masks: ${fresh} of ${this.clip.frames} frames` : "all masks made";
    $("status").textContent = text;
    document.body.dataset.fresh = fresh;
    document.body.dataset.pending = this.pending.size;
    $("save").disabled = !this.connection.isOpen || !this.ready || (!this.rounds.length && !this.marks.size);
  }

  // Say something for some seconds; then the trouble that lasts, if there is one, is said again.
  tell(text) {
    clearTimeout(this.#toldOver);
    this.#show(text);
    this.#toldOver = setTimeout(() => this.#show(this.#trouble, true), 8000);
  }

  #show(text, isTrouble = false) {
    [$("told").textContent, $("told").hidden] = [text, !text];
    $("told").classList.toggle("trouble", isTrouble);
  }

  // Controls.

  #check(name, value) {
    document.querySelector(`[name="${name}"][value="${value}"]`).click();
  }

  #penTable() {
    return {
      view: this.view,
      tool: () => this.tool,
      canDraw: () => this.frames.has(this.frame),
      redraw: () => this.redraw(),
      begin: () => this.connection.send({ do: "hold" }),
      drop: this.dropStroke,
      finish: (points) => this.finishStroke(points),
      erase: (x, y, reach) => this.eraseAt(x, y, reach),
    };
  }

  #timelineTable() {
    const page = this;
    return {
      get frames() { return page.clip.frames; },
      get size() { return page.clip.size; },
      get frame() { return page.frame; },
      get marked() { return page.marked(); },
      get masks() { return page.masks; },
      get version() { return page.version; },
      get suggested() { return page.suggestions.version === page.version ? page.suggestions.frames : []; },
      get objects() { return page.objectIds(); },
      url: (frame) => page.frames.url(frame),
      colour: (object) => page.colour(object),
      redraw: () => page.redraw(),
      seek: (frame) => {
        page.player.stop();
        page.seek(frame);
      },
    };
  }
}

window.page = new Page(); // for whoever looks at it in the browser's console
