// Draws received and result in step: one size, one place, one of four ways to lay them beside each other.

const BLINK_MS = 700;
const OUTLINE = "#ffd400";

export class Stage {
  /** `panes` are the figures by side, `divider` the input that says where a slider stands, or null. */
  constructor(panes, divider) {
    this.panes = panes;
    this.divider = divider;
    this.images = {};
    this.regions = [];
    this.hasOutlines = true;
    this.hasOverlays = true;
    this.mode = "beside";
    this.chosen = null;
    this.blinksTo = "result";
    this.place = { x: 0, y: 0, scale: 0 };
    const resized = new ResizeObserver(() => this.draw());
    for (const figure of Object.values(panes)) resized.observe(figure);
  }

  get hasBoth() {
    return Boolean(this.images.received && this.images.result);
  }

  /** Show canvases by side, and what was filled in the frame. */
  show(images, regions) {
    const before = this.images.result ?? this.images.received;
    const now = images.result ?? images.received;
    if (before && now && (before.width !== now.width || before.height !== now.height)) this.fit();
    this.images = images;
    this.regions = regions;
    this.draw();
  }

  setMode(mode) {
    this.mode = mode;
    clearInterval(this.blinking);
    if (mode === "blink") {
      this.blinking = setInterval(() => {
        this.blinksTo = this.blinksTo === "result" ? "received" : "result";
        this.draw();
      }, BLINK_MS);
    }
    this.draw();
  }

  /** Show all of the picture, as large as it fits. */
  fit() {
    this.place = { x: 0, y: 0, scale: 0 };
    this.draw();
  }

  /** Zoom so that what lies under a point of a canvas stays there. */
  zoom(factor, point = null) {
    const { width, height } = this.size();
    const { x, y } = this.place;
    const before = this.scale();
    const after = Math.min(64, Math.max(0.02, before * factor));
    const [px, py] = point ? [point.x - width / 2, point.y - height / 2] : [0, 0];
    const shift = 1 / after - 1 / before;
    this.place = { x: x + px * shift, y: y + py * shift, scale: after };
    this.draw();
  }

  /** Move the picture by pixels of the screen. */
  move(dx, dy) {
    const scale = this.scale();
    this.place = { x: this.place.x + dx / scale, y: this.place.y + dy / scale, scale };
    this.draw();
  }

  /** Bring a box of the picture into the middle. */
  look([left, top, width, height]) {
    const image = this.image();
    if (!image) return;
    const size = this.size();
    const scale = Math.min(8, size.width / (width * 1.6), size.height / (height * 1.6));
    this.place = {
      x: image.width / 2 - (left + width / 2),
      y: image.height / 2 - (top + height / 2),
      scale: Math.max(scale, this.fitting()),
    };
    this.draw();
  }

  image() {
    return this.images.result ?? this.images.received;
  }

  screen() {
    const figure = Object.values(this.panes).find((pane) => !pane.hidden) ?? this.panes.result;
    return figure.querySelector(".screen");
  }

  size() {
    const { clientWidth, clientHeight } = this.screen();
    return { width: Math.max(1, clientWidth), height: Math.max(1, clientHeight) };
  }

  fitting() {
    const image = this.image();
    const { width, height } = this.size();
    return image ? Math.min(width / image.width, height / image.height) : 1;
  }

  scale() {
    return this.place.scale || this.fitting();
  }

  draw() {
    const mode = this.hasBoth ? this.mode : "beside";
    this.layOut(mode);
    if (mode === "beside") {
      for (const [side, pane] of Object.entries(this.panes)) this.paint(pane, (context) => this.put(context, this.images[side]));
      return;
    }
    const pane = this.panes.result;
    if (mode === "blink") this.paint(pane, (context) => this.put(context, this.images[this.blinksTo]));
    if (mode === "slider") this.paint(pane, (context, width, height) => this.slide(context, width, height));
    if (mode === "difference") this.paint(pane, (context) => this.subtract(context));
  }

  layOut(mode) {
    const isSingle = mode !== "beside";
    if (this.panes.received) this.panes.received.hidden = isSingle;
    this.panes.result.parentElement.classList.toggle("single", isSingle || !this.panes.received);
    const names = { beside: "Result", blink: this.blinksTo === "result" ? "Result" : "Received", slider: "Received | Result", difference: "Difference" };
    this.panes.result.querySelector("figcaption").textContent = names[mode];
    if (this.divider) this.divider.closest("label").hidden = mode !== "slider";
  }

  paint(pane, how) {
    const canvas = pane.querySelector("canvas");
    const { clientWidth: width, clientHeight: height } = canvas;
    const dense = devicePixelRatio || 1;
    const [columns, rows] = [Math.round(width * dense), Math.round(height * dense)];
    if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
    const context = canvas.getContext("2d");
    context.setTransform(dense, 0, 0, dense, 0, 0);
    context.globalCompositeOperation = "source-over";
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    this.place.width = width;
    this.place.height = height;
    how(context, width, height);
    if (this.hasOutlines) this.outline(context, width, height);
  }

  /** Return where the picture's left top corner is on a screen of this size. */
  corner(image, width, height) {
    const scale = this.scale();
    return {
      scale,
      left: width / 2 + (this.place.x - image.width / 2) * scale,
      top: height / 2 + (this.place.y - image.height / 2) * scale,
    };
  }

  put(context, image) {
    if (!image) return;
    const { left, top, scale } = this.corner(image, this.place.width, this.place.height);
    context.imageSmoothingEnabled = scale < 3;
    context.imageSmoothingQuality = "medium";
    context.drawImage(image, left, top, image.width * scale, image.height * scale);
    if (this.hasOverlays && image.overlay) context.drawImage(image.overlay, left, top, image.width * scale, image.height * scale);
  }

  slide(context, width, height) {
    const at = (width * Number(this.divider.value)) / 100;
    this.put(context, this.images.result);
    context.save();
    context.beginPath();
    context.rect(0, 0, at, height);
    context.clip();
    context.fillRect(0, 0, at, height);
    this.put(context, this.images.received);
    context.restore();
    context.fillStyle = OUTLINE;
    context.fillRect(at - 1, 0, 2, height);
  }

  /** Return a picture with its overlay planes drawn on it, as one. */
  flat(image) {
    if (!this.hasOverlays || !image.overlay) return image;
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    context.drawImage(image.overlay, 0, 0);
    return canvas;
  }

  subtract(context) {
    this.put(context, this.images.received);
    context.globalCompositeOperation = "difference";
    this.put(context, this.flat(this.images.result));
    context.globalCompositeOperation = "source-over";
  }

  outline(context, width, height) {
    const image = this.image();
    if (!image) return;
    const { left, top, scale } = this.corner(image, width, height);
    context.strokeStyle = OUTLINE;
    context.fillStyle = OUTLINE;
    context.font = "12px system-ui, sans-serif";
    this.regions.forEach(({ box: [x, y, w, h] }, index) => {
      const isChosen = index === this.chosen;
      context.lineWidth = isChosen ? 3 : 1.5;
      context.setLineDash(isChosen ? [] : [5, 3]);
      context.strokeRect(left + x * scale - 1, top + y * scale - 1, w * scale + 2, h * scale + 2);
      // Boxes often begin at the same corner.
      context.fillText(String(index + 1), left + x * scale + 4 + 14 * index, Math.max(12, top + y * scale - 4));
    });
    context.setLineDash([]);
  }
}
