// The list of objects: which one is drawn, what it is called, whether it is seen.

export const BACKGROUND = 0;

export class ObjectList {
  visible = new Map();
  chosen = 1;
  #rows = "";

  // `onChange` is called when something is chosen or hidden, `onName` with an object and its name.
  constructor(list, { onChange, onName }) {
    [this.list, this.onChange, this.onName] = [list, onChange, onName];
  }

  isVisible(object) {
    return this.visible.get(object) ?? true;
  }

  choose(object) {
    this.chosen = object;
    this.#mark();
    this.onChange();
  }

  toggle(object) {
    this.visible.set(object, !this.isVisible(object));
    this.#mark();
    this.onChange();
  }

  // Show objects with their names, in the colours of the palette.
  show(objects, names, colour) {
    const rows = JSON.stringify([objects, names]);
    if (rows === this.#rows || this.list.contains(document.activeElement?.closest?.('[type="text"]'))) return;
    this.#rows = rows;
    this.list.replaceChildren(
      this.#row(BACKGROUND, "background", colour(BACKGROUND)),
      ...objects.map((object) => this.#row(object, names[object] ?? `object ${object}`, colour(object))),
    );
    this.#mark();
  }

  #row(object, name, colour) {
    const row = document.createElement("li");
    row.dataset.object = object;
    const choose = document.createElement("button");
    choose.className = "choose";
    choose.type = "button";
    choose.title = object ? `Draw ${name}${object < 10 ? ` (${object})` : ""}` : "Draw background: no object (B)";
    choose.setAttribute("aria-label", `Draw as ${name}`);
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = colour;
    const key = document.createElement("span");
    key.className = "key";
    key.textContent = object ? (object < 10 ? object : "") : "B";
    choose.append(swatch, key);
    choose.onclick = () => this.choose(object);
    row.append(choose);
    if (object) row.append(this.#nameField(object, name), this.#eye(object, name));
    else row.append(Object.assign(document.createElement("span"), { className: "plain", textContent: name }));
    return row;
  }

  #nameField(object, name) {
    const field = Object.assign(document.createElement("input"), { type: "text", value: name, maxLength: 60 });
    field.setAttribute("aria-label", `Name of object ${object}`);
    field.onfocus = () => this.choose(object);
    field.onkeydown = (event) => {
      if (event.key === "Enter" || event.key === "Escape") field.blur();
      event.stopPropagation();
    };
    field.onchange = () => {
      const text = field.value.trim();
      if (text) this.onName(object, text);
      else field.value = name;
    };
    return field;
  }

  #eye(object, name) {
    const eye = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
    eye.setAttribute("aria-label", `Show ${name}`);
    eye.title = `Show ${name} (V)`;
    eye.onchange = () => this.toggle(object);
    return eye;
  }

  #mark() {
    for (const row of this.list.children) {
      const object = Number(row.dataset.object);
      row.classList.toggle("chosen", object === this.chosen);
      row.querySelector(".choose").setAttribute("aria-pressed", object === this.chosen);
      const eye = row.querySelector('[type="checkbox"]');
      if (eye) eye.checked = this.isVisible(object);
    }
  }
}
