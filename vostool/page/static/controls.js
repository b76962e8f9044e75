// Buttons, sliders and keys: what each does is the page's.

import { fillKeyList, keyTable, listenToKeys } from "./keys.js";

const WIDTHS = [1, 2, 3, 5, 9, 17, 33]; // of the brush, in the clip's pixels

const $ = (id) => document.getElementById(id);

export function listenToControls(page) {
  const clicks = {
    undo: page.undo,
    redo: page.redo,
    save: page.save,
    help: page.help,
    play: page.play,
    step: () => page.step(1),
    "step-back": () => page.step(-1),
    "next-marked": () => page.nextMarked(1),
    "previous-marked": () => page.nextMarked(-1),
    "next-unsure": page.nextUnsure,
    suggest: page.suggest,
    "add-object": page.addObject,
    "zoom-in": () => page.zoom(1.25),
    "zoom-out": () => page.zoom(0.8),
    "zoom-fit": page.zoomFit,
    open: () => $("file").click(),
  };
  for (const [id, action] of Object.entries(clicks)) $(id).addEventListener("click", action);
  for (const radio of document.querySelectorAll('[name="tool"]')) {
    radio.addEventListener("change", () => {
      page.tool = $("canvas").dataset.tool = radio.value;
    });
  }
  for (const control of document.querySelectorAll("#look input")) {
    control.addEventListener("input", () => page.redraw());
  }
  $("width").addEventListener("input", () => {
    page.width = WIDTHS[Number($("width").value)];
    $("width-told").textContent = `${page.width} px`;
  });
  $("file").addEventListener("change", async () => {
    const [file] = $("file").files;
    if (file) page.open(await file.text(), file.name);
    $("file").value = "";
  });
  const table = keyTable(page);
  listenToKeys(page, table);
  fillKeyList($("key-list"), table);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page.redraw(true));
}
