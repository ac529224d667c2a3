// The Compare page: which image is shown, with which window, and what keys, wheel and buttons do.

import { Cine, MOST_RATE, rateOf } from "./compare-cine.js";
import { Frames, NotShown, roomAhead } from "./compare-frames.js";
import { wholeRange } from "./compare-picture.js";
import { Stage } from "./compare-stage.js";

const CT_WINDOWS = [["Soft tissue", 40, 400], ["Lung", -600, 1500], ["Bone", 480, 2500], ["Brain", 40, 80]];
const AHEAD = 6;
const TURN = 40;

const main = document.getElementById("compare");
const find = (id) => document.getElementById(id);
const root = new URL(main.dataset.up, location.href);
const here = new URL(main.dataset.study, location.href);
const isSource = main.dataset.source === "yes";
const panes = isSource
  ? { received: find("pane-received"), result: find("pane-result") }
  : { result: find("pane-result") };
const stores = {
  result: new Frames(new URL(main.dataset.resultRoot, root).href),
  received: new Frames(new URL(main.dataset.receivedRoot, root).href),
};
const stage = new Stage(panes, find("divider"));
const cine = new Cine(advance, rate, tellCine);
const outcomes = new Map();

let study = { series: [], reasons: {} };
let places = [];
let chosenWindow = null;
let ownWindow = null;
let turn = 0;
let isWanted = false;
let isShowing = false;
let direction = 1;
let headerOf = "";

/** Return every frame of a series in order: which instance, and which of its frames, counted from 1. */
function placesOf(series) {
  return series.instances.flatMap((instance, position) =>
    Array.from({ length: instance.frames }, (_, frame) => ({ instance, position, frame: frame + 1 })));
}

function seriesShown() {
  return study.series[Number(find("series").value)];
}

function place() {
  return places[Number(find("image").value) - 1];
}

function openSeries() {
  cine.stop();
  places = placesOf(seriesShown());
  const image = find("image");
  image.max = String(Math.max(1, places.length));
  image.value = "1";
  stage.fit();
  chosenWindow = null;
  listPresets(seriesShown());
  recommendRate();
  return show();
}

/** Show the image that the slider names; what is asked meanwhile is shown once this is. */
async function show() {
  isWanted = true;
  if (isShowing) return;
  isShowing = true;
  try {
    while (isWanted) {
      isWanted = false;
      await showNow();
    }
  } finally {
    isShowing = false;
  }
}

async function showNow() {
  const began = performance.now();
  const mine = ++turn;
  const shown = place();
  const image = find("image").value;
  if (!shown) return;
  find("stage").setAttribute("aria-busy", "true");
  tellWhere(shown);
  // In a cine of many instances nobody reads headers as they go by.
  if (!cine.isRunning) askHeader(shown.instance);
  find("play").disabled = !isPlayable(shown);
  const window_ = chosenWindow ?? await windowOf(shown);
  const pictures = await Promise.all(Object.keys(panes).map((side) => pictureOf(side, shown, window_)));
  const regions = (await outcomeOf(shown.instance)).regions;
  const images = Object.fromEntries(Object.keys(panes).map((side, index) => [side, pictures[index]]));
  ownWindow = window_;
  const ofFrame = regions.filter(({ frame }) => frame === shown.frame);
  stage.chosen = null;
  stage.show(images, ofFrame);
  find("overlays").hidden = !Object.values(images).some((image) => image?.overlay);
  tellWindow(window_);
  listRegions(ofFrame, regions);
  tellRefused(shown.instance);
  const element = find("stage");
  element.setAttribute("aria-busy", "false");
  element.dataset.shown = image;
  element.dispatchEvent(new CustomEvent("shown", { bubbles: true, detail: { image, ms: performance.now() - began } }));
  prefetch(mine);
}

/** Return the window that the header gives, the result's before that of what came in: both sides have the same. */
async function windowOf({ instance, frame }) {
  for (const side of ["result", "received"]) {
    if (!instance[side] || !panes[side]) continue;
    try {
      const window_ = await stores[side].ownWindow(instance[side], frame);
      if (window_) return window_;
    } catch (error) {
      if (!(error instanceof NotShown)) throw error;
    }
  }
  return undefined;
}

async function pictureOf(side, { instance, frame }, window_) {
  const notice = panes[side].querySelector(".notice");
  const own = instance[side];
  let words = own ? "" : side === "result" ? "There is no result of this instance." : "What came in is not kept any more.";
  let picture;
  if (own) {
    try {
      const { how } = await stores[side].description(own);
      picture = await stores[side].picture(own, frame, window_);
      if (how === "video") words = "A video: browsers show it by its own address, or a viewer does.";
      else if (!picture) words = "This instance has no picture.";
    } catch (error) {
      if (!(error instanceof NotShown)) throw error;
      words = [401, 403, 404].includes(error.status) ? "This side is not shown to you." : "This image cannot be drawn.";
    }
  }
  notice.hidden = Boolean(picture);
  notice.textContent = words;
  return picture;
}

function outcomeOf(instance) {
  const side = instance.result ? "result" : "received";
  const uid = instance[side].instance;
  if (!outcomes.has(uid)) {
    const address = new URL("outcome.json", here);
    address.searchParams.set("instance", uid);
    if (isSource) address.searchParams.set("of", side);
    outcomes.set(uid, fetch(address).then((response) => (response.ok ? response.json() : { regions: [] })));
  }
  return outcomes.get(uid);
}

/** Fetch what is likely to be shown next, a few images in the direction of travel, one after the other. */
async function prefetch(mine) {
  const at = Number(find("image").value) - 1;
  const shown = stage.image();
  const ahead = shown ? Math.min(AHEAD, roomAhead(shown)) : AHEAD;
  const steps = [...Array.from({ length: ahead }, (_, n) => (n + 1) * direction), -direction];
  for (const step of steps) {
    const next = places[at + step];
    if (!next || mine !== turn) continue;
    try {
      const window_ = chosenWindow ?? await windowOf(next);
      await Promise.all(Object.keys(panes).filter((side) => next.instance[side])
        .map((side) => stores[side].picture(next.instance[side], next.frame, window_)));
    } catch (error) {
      if (!(error instanceof NotShown)) throw error;
      return;
    }
  }
  if (mine === turn) find("stage").dispatchEvent(new CustomEvent("ready", { bubbles: true }));
}

function tellWhere({ instance, frame }) {
  const parts = [`Image ${find("image").value} of ${places.length}`];
  if (seriesShown().instances.length > 1) parts.push(`instance ${instance.number || instance.position + 1}`);
  if (instance.frames > 1) parts.push(`frame ${frame} of ${instance.frames}`);
  find("where").textContent = parts.join(", ");
}

function tellRefused(instance) {
  const note = find("refused");
  note.hidden = !isSource || Boolean(instance.result);
  const why = study.reasons?.[instance.reason];
  if (why) note.replaceChildren(`Not released (${instance.reason}): `, ...marked(why));
  else note.textContent = `Not released: ${instance.state}.`;
}

// What stands between backticks is code.
function marked(text) {
  return text.split("`").map((part, position) => {
    if (position % 2 === 0) return part;
    return Object.assign(document.createElement("code"), { textContent: part });
  });
}

function tellWindow(window_) {
  for (const [id, value] of [["center", window_?.center], ["width", window_?.width]]) {
    const input = find(id);
    input.disabled = !window_;
    if (document.activeElement !== input) input.value = value === undefined ? "" : String(Math.round(value * 100) / 100);
  }
  find("preset").disabled = !window_;
}

function listPresets(series) {
  const options = [new Option("As stored", "own"), new Option("Whole range", "range")];
  if (series.modality === "CT") options.push(...CT_WINDOWS.map(([name, center, width]) => new Option(name, `${center},${width}`)));
  find("preset").replaceChildren(...options);
}

function setWindow(window_) {
  chosenWindow = window_;
  return show();
}

async function usePreset() {
  const { value } = find("preset");
  if (value === "own") return setWindow(null);
  if (value !== "range") {
    const [center, width] = value.split(",").map(Number);
    return setWindow({ center, width, kind: "LINEAR" });
  }
  const { instance, frame } = place();
  const side = instance.result ? "result" : "received";
  const description = await stores[side].description(instance[side]);
  const samples = await stores[side].frame(instance[side], frame);
  return samples && !(samples instanceof ImageData) ? setWindow(wholeRange(description, samples, frame)) : undefined;
}

/** Make the window wider by a part of its width, and move its center by a part of it. */
function changeWindow(wider, brighter) {
  const { center, width } = chosenWindow ?? ownWindow ?? {};
  if (width === undefined) return undefined;
  const kind = (chosenWindow ?? ownWindow).kind;
  const least = kind === "LINEAR" ? 1 : 1e-6;
  return setWindow({ kind, center: center + brighter * width, width: Math.max(least, width * (1 + wider)) });
}

function listRegions(ofFrame, all) {
  const list = find("regions");
  list.replaceChildren(...ofFrame.map((region, index) => {
    const [left, top, width, height] = region.box;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${index + 1}: ${region.why} (${width} × ${height} at ${left}, ${top})`;
    button.addEventListener("click", () => { stage.chosen = index; stage.look(region.box); });
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
  const others = all.length - ofFrame.length;
  find("no-regions").hidden = ofFrame.length > 0;
  find("no-regions").textContent = others ? `None in this frame; ${others} in others.` : "None in this instance.";
}

/** Have the header of an instance compared below, when it is another one. */
function askHeader(instance) {
  const path = (side) => (side ? `${side.study}/${side.series}/${side.instance}` : "");
  const asked = `${isSource ? path(instance.received) : ""} ${path(instance.result)}`;
  if (asked === headerOf) return;
  headerOf = asked;
  [find("header-received").value, find("header-result").value] = asked.split(" ");
  find("header-form").dispatchEvent(new Event("instance"));
}

/** Return between which images a cine goes round: the frames of one instance, else all of the series. */
function roundOf({ instance, position }) {
  if (instance.frames <= 1) return [0, places.length - 1];
  const first = places.findIndex((each) => each.position === position);
  return [first, first + instance.frames - 1];
}

function isPlayable(shown) {
  const [from, to] = roundOf(shown);
  return to > from;
}

/** Show the next image of a cine; while one is not there yet, the cine waits. */
function advance() {
  if (isShowing || !place()) return;
  const image = find("image");
  const at = Number(image.value) - 1;
  const [from, to] = roundOf(place());
  direction = 1;
  image.value = String((at >= to ? from : at + 1) + 1);
  show();
}

function rate() {
  const given = Number(find("rate").value);
  return given >= 1 ? Math.min(MOST_RATE, given) : 1;
}

async function recommendRate() {
  const shown = place();
  const side = shown?.instance.result ? "result" : "received";
  if (!shown || !panes[side]) return;
  try {
    find("rate").value = String(rateOf((await stores[side].description(shown.instance[side])).attributes));
  } catch (error) {
    if (!(error instanceof NotShown)) throw error;
  }
}

function tellCine() {
  find("play").textContent = cine.isRunning ? "Pause" : "Play";
  find("where").setAttribute("aria-live", cine.isRunning ? "off" : "polite");
  if (!cine.isRunning && place()) askHeader(place().instance);
}

function togglePlay() {
  if (!find("play").disabled) cine.toggle();
}

/** Go on by so many images. */
function step(count) {
  cine.stop();
  const image = find("image");
  const to = Math.min(places.length, Math.max(1, Number(image.value) + count));
  if (to === Number(image.value)) return;
  direction = Math.sign(count);
  image.value = String(to);
  show();
}

function stepInstance(count) {
  const now = place();
  const wanted = now.position + count;
  const to = places.findIndex(({ position, frame }) => position === wanted && frame === 1);
  if (to >= 0) step(to + 1 - Number(find("image").value));
}

function stepSeries(count) {
  const select = find("series");
  const to = Number(select.value) + count;
  if (!study.series[to]) return;
  select.value = String(to);
  openSeries();
}

function setMode(name) {
  const input = document.querySelector(`input[name="mode"][value="${name}"]`);
  if (!input) return;
  input.checked = true;
  stage.setMode(name);
}

function toggleOutlines() {
  stage.hasOutlines = !stage.hasOutlines;
  find("outlines").setAttribute("aria-pressed", String(stage.hasOutlines));
  stage.draw();
}

function toggleOverlays() {
  stage.hasOverlays = !stage.hasOverlays;
  find("overlays").setAttribute("aria-pressed", String(stage.hasOverlays));
  stage.draw();
}

const MOVE = 40;
const KEYS = {
  ArrowRight: () => step(1), ArrowLeft: () => step(-1),
  ArrowDown: () => stepInstance(1), ArrowUp: () => stepInstance(-1),
  PageDown: () => stepSeries(1), PageUp: () => stepSeries(-1),
  Home: () => step(-places.length), End: () => step(places.length),
  "+": () => stage.zoom(1.25), "=": () => stage.zoom(1.25), "-": () => stage.zoom(0.8), 0: () => stage.fit(),
  l: () => changeWindow(0.1, 0), j: () => changeWindow(-0.1, 0), i: () => changeWindow(0, 0.05), k: () => changeWindow(0, -0.05),
  p: () => togglePlay(), " ": () => togglePlay(),
  n: () => nextPreset(), o: () => toggleOutlines(), v: () => toggleOverlays(),
  1: () => setMode("beside"), 2: () => setMode("blink"), 3: () => setMode("slider"), 4: () => setMode("difference"),
};
const SHIFTED = {
  ArrowRight: () => stage.move(-MOVE, 0), ArrowLeft: () => stage.move(MOVE, 0),
  ArrowDown: () => stage.move(0, -MOVE), ArrowUp: () => stage.move(0, MOVE),
};

function nextPreset() {
  const select = find("preset");
  if (select.disabled) return;
  select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
  usePreset();
}

function listenToKeys(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const act = (event.shiftKey && SHIFTED[key]) || KEYS[key];
  if (!act) return;
  event.preventDefault();
  act();
}

function listenToPointer(element) {
  let from = null;
  let turned = 0;
  element.addEventListener("pointerdown", (event) => {
    if (event.target.tagName !== "CANVAS") return;
    from = event;
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [dx, dy] = [event.clientX - from.clientX, event.clientY - from.clientY];
    from = event;
    const isMove = event.shiftKey || document.querySelector('input[name="drag"]:checked').value === "pan";
    if (isMove || !ownWindow) stage.move(dx, dy);
    else changeWindow(dx / 300, dy / 300);
  });
  for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => { from = null; });
  element.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (!event.ctrlKey) {
      // A touchpad sends many small turns where a wheel sends one.
      turned += event.deltaY;
      if (Math.abs(turned) >= TURN) { step(Math.sign(turned)); turned = 0; }
      return;
    }
    const box = event.target.getBoundingClientRect();
    stage.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, { x: event.clientX - box.left, y: event.clientY - box.top });
  }, { passive: false });
}

function listen() {
  const element = find("stage");
  element.addEventListener("keydown", listenToKeys);
  listenToPointer(element);
  find("series").addEventListener("change", openSeries);
  find("image").addEventListener("input", () => { cine.stop(); show(); });
  find("play").addEventListener("click", togglePlay);
  find("previous").addEventListener("click", () => step(-1));
  find("next").addEventListener("click", () => step(1));
  find("preset").addEventListener("change", usePreset);
  for (const id of ["center", "width"]) {
    find(id).addEventListener("change", () => {
      const [center, width] = [Number(find("center").value), Number(find("width").value)];
      if (Number.isFinite(center) && width >= 1) setWindow({ center, width, kind: "LINEAR" });
    });
  }
  find("larger").addEventListener("click", () => stage.zoom(1.25));
  find("smaller").addEventListener("click", () => stage.zoom(0.8));
  find("fit").addEventListener("click", () => stage.fit());
  find("outlines").addEventListener("click", toggleOutlines);
  find("overlays").addEventListener("click", toggleOverlays);
  find("divider")?.addEventListener("input", () => stage.draw());
  for (const input of document.querySelectorAll('input[name="mode"]')) input.addEventListener("change", () => setMode(input.value));
}

async function begin() {
  listen();
  const response = await fetch(new URL("study.json", here), { cache: "no-store" });
  if (!response.ok) { find("where").textContent = "This study cannot be read."; return; }
  study = await response.json();
  find("series").replaceChildren(...study.series.map(({ modality, number, description, instances }, index) => {
    const count = instances.length === 1 ? "1 instance" : `${instances.length} instances`;
    return new Option([number || "–", modality, description, `(${count})`].filter(Boolean).join(" "), String(index));
  }));
  // What has a picture comes first.
  const first = study.series.findIndex(({ modality }) => !["SR", "PR", "KO", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE"].includes(modality));
  find("series").value = String(Math.max(0, first));
  await openSeries();
}

begin();
