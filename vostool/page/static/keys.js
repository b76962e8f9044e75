// What keys do: one table, from which the list of keys is made, too.

// `page` has a method for each. A key is written as told to people; `says` is what it does.
export function keyTable(page) {
  return [
    ["D", "draw", () => page.setTool("draw")],
    ["E", "erase a stroke", () => page.setTool("erase")],
    ["H", "move the view", () => page.setTool("hand")],
    ["B", "draw background", () => page.choose(0)],
    ["1 – 9", "draw that object", null],
    ["N", "new object", () => page.addObject()],
    ["[", "thinner brush", () => page.changeWidth(-1)],
    ["]", "thicker brush", () => page.changeWidth(1)],
    ["Ctrl+Z", "undo", () => page.undo()],
    ["Ctrl+Shift+Z", "redo", () => page.redo()],
    ["Ctrl+S", "save", () => page.save()],
    ["Space", "play, stop", () => page.play()],
    ["←", "frame before", () => page.step(-1)],
    ["→", "next frame", () => page.step(1)],
    ["Shift+←", "ten frames back", () => page.step(-10)],
    ["Shift+→", "ten frames on", () => page.step(10)],
    ["Home", "first frame", () => page.step(-Infinity)],
    ["End", "last frame", () => page.step(Infinity)],
    ["M", "next frame with strokes", () => page.nextMarked(1)],
    ["Shift+M", "the one before", () => page.nextMarked(-1)],
    ["U", "next frame in doubt", () => page.nextUnsure()],
    ["S", "frame worth drawing on", () => page.suggest()],
    ["O", "fill or outline", () => page.changeStyle()],
    ["A", "masks, no masks", () => page.toggleMasks()],
    ["V", "show or hide the object", () => page.toggleObject()],
    ["T", "show or hide strokes", () => page.toggleStrokes()],
    ["C", "masks of the last round", () => page.toggleCompare()],
    ["+", "zoom in", () => page.zoom(1.25)],
    ["-", "zoom out", () => page.zoom(0.8)],
    ["0", "whole frame", () => page.zoomFit()],
    ["?", "these keys", () => page.help()],
  ];
}

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", "=": "+" };
const SAME = { "Ctrl+Y": "Ctrl+Shift+Z" };

export function listenToKeys(page, table) {
  const actions = new Map(table.map(([key, , action]) => [key, action]));
  window.addEventListener("keydown", (event) => {
    if (event.altKey || document.querySelector("dialog[open]")) return;
    const focused = document.activeElement;
    if (focused?.matches('input[type="text"]')) return;
    const plain = !(event.ctrlKey || event.metaKey);
    // Controls keep the keys that they need.
    if (plain && focused?.matches("button, input") && [" ", "Enter"].includes(event.key)) return;
    if (plain && focused?.matches('input[type="range"], input[type="radio"]') && /^Arrow|Home|End/.test(event.key)) return;
    if (plain && /^[1-9]$/.test(event.key)) {
      page.choose(Number(event.key));
      return event.preventDefault();
    }
    const action = actions.get(nameOf(event));
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function nameOf(event) {
  const key = NAMES[event.key] ?? (event.key.length === 1 ? event.key.toUpperCase() : event.key);
  const isSign = event.key.length === 1 && !/[a-z]/i.test(event.key) && event.key !== " ";
  const shift = event.shiftKey && !isSign ? "Shift+" : "";
  const name = `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${shift}${key}`;
  return SAME[name] ?? name;
}

export function fillKeyList(list, table) {
  for (const [key, says] of table) {
    const term = document.createElement("dt");
    const meaning = document.createElement("dd");
    [term.textContent, meaning.textContent] = [key, says];
    list.append(term, meaning);
  }
}
