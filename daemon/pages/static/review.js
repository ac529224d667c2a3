// Boxes over a picture: drawn with the mouse, moved with the keyboard; the fields of the form are the truth.

const NAMES = ["frame", "left", "top", "width", "height"];
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const stage = document.getElementById("stage");
const boxes = document.getElementById("boxes");
const shown = document.getElementById("shown");

function frame() {
  return Number(shown?.value ?? stage.querySelector(".found")?.dataset.frame ?? 1);
}

function fields(row) {
  return Object.fromEntries(NAMES.map((name) => [name, row.querySelector(`[name=${name}]`)]));
}

function read(row) {
  const found = fields(row);
  return Object.fromEntries(NAMES.map((name) => [name, found[name].value === "" ? NaN : Number(found[name].value)]));
}

function write(row, box) {
  const found = fields(row);
  for (const name of NAMES) if (name in box) found[name].value = box[name];
  draw();
}

function isEmpty(row) {
  return NAMES.slice(1).every((name) => fields(row)[name].value === "");
}

function added(box = {}) {
  let row = [...boxes.children].find(isEmpty);
  if (!row) {
    row = document.getElementById("row").content.firstElementChild.cloneNode(true);
    boxes.append(row);
  }
  write(row, box);
  return row;
}

function rectangle(box) {
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  rect.classList.add("drawn");
  rect.setAttribute("x", box.left);
  rect.setAttribute("y", box.top);
  rect.setAttribute("width", box.width);
  rect.setAttribute("height", box.height);
  return rect;
}

function draw() {
  const now = frame();
  stage.querySelectorAll(".drawn").forEach((each) => each.remove());
  for (const row of boxes.children) {
    const box = read(row);
    if (!(box.width > 0 && box.height > 0) || Number.isNaN(box.left + box.top)) continue;
    if (box.frame !== 0 && box.frame !== now) continue;
    const rect = rectangle(box);
    rect.classList.toggle("current", row.contains(document.activeElement));
    stage.append(rect);
  }
  for (const each of stage.querySelectorAll(".found")) {
    each.toggleAttribute("visibility", false);
    if (Number(each.dataset.frame) !== now) each.setAttribute("visibility", "hidden");
  }
}

function place(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(stage.getScreenCTM().inverse());
  const { width, height } = stage.viewBox.baseVal;
  return [Math.min(Math.max(point.x, 0), width), Math.min(Math.max(point.y, 0), height)];
}

function between([x, y], [u, v]) {
  const left = Math.floor(Math.min(x, u));
  const top = Math.floor(Math.min(y, v));
  return { left, top, width: Math.ceil(Math.max(x, u)) - left, height: Math.ceil(Math.max(y, v)) - top };
}

function begin(event) {
  if (event.button !== 0) return;
  event.preventDefault();
  const from = place(event);
  let row = null;
  stage.setPointerCapture(event.pointerId);
  const move = (now) => {
    const box = between(from, place(now));
    if (!row && box.width + box.height < 4) return;
    row ??= added({ frame: 0 });
    write(row, box);
  };
  const end = () => {
    stage.removeEventListener("pointermove", move);
    stage.removeEventListener("pointerup", end);
    stage.removeEventListener("pointercancel", end);
    row?.querySelector(".move").focus();
    draw();
  };
  stage.addEventListener("pointermove", move);
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointercancel", end);
}

function nudge(event) {
  const step = STEPS[event.key];
  const button = event.target.closest(".move");
  if (!step || !button) return;
  event.preventDefault();
  const row = button.closest(".box");
  const box = read(row);
  if (Number.isNaN(box.left + box.top + box.width + box.height)) return;
  const [x, y] = step.map((each) => each * (event.ctrlKey ? 10 : 1));
  const { width, height } = stage.viewBox.baseVal;
  const within = (value, least, most) => Math.min(Math.max(value, least), most);
  if (event.shiftKey) {
    write(row, {
      width: within(box.width + x, 1, width - box.left),
      height: within(box.height + y, 1, height - box.top),
    });
  } else {
    write(row, { left: within(box.left + x, 0, width - 1), top: within(box.top + y, 0, height - 1) });
  }
}

function click(event) {
  if (event.target.id === "add") {
    const { width, height } = stage.viewBox.baseVal;
    const quarter = { left: width / 4, top: height / 4, width: width / 2, height: height / 8 };
    const row = added({ frame: 0, ...Object.fromEntries(Object.entries(quarter).map(([name, value]) => [name, Math.round(value)])) });
    row.querySelector("[name=left]").focus();
  } else if (event.target.id === "take") {
    for (const each of stage.querySelectorAll(".found")) {
      const [left, top, width, height] = ["x", "y", "width", "height"].map((name) => Number(each.getAttribute(name)));
      added({ frame: Number(each.dataset.frame), left, top, width, height });
    }
  } else if (event.target.matches(".remove")) {
    event.target.closest(".box").remove();
    document.getElementById("add").focus();
  }
  draw();
}

if (stage) {
  shown?.addEventListener("input", () => {
    if (!shown.validity.valid || shown.value === "") return;
    stage.querySelector("image").setAttribute("href", stage.dataset.picture + frame());
    if (boxes) draw();
  });
}

if (stage && boxes) {
  stage.addEventListener("pointerdown", begin);
  document.addEventListener("keydown", nudge);
  document.addEventListener("click", click);
  boxes.addEventListener("input", draw);
  boxes.addEventListener("focusin", draw);
  draw();
}
