// Frames of one store: asked for as samples where the browser can show them itself, else as drawn pictures.

import { describe, greyscale } from "./compare-header.js";
import { ownWindow, picture, samplesOf } from "./compare-picture.js";

const MOST_BYTES = 192 * 2 ** 20;
const MOST_PICTURE_BYTES = 128 * 2 ** 20;

/** Return how many pictures of a size there is room for ahead, beside the one that is shown and the one before. */
export function roomAhead({ width, height, overlay }) {
  return Math.max(1, Math.floor(MOST_PICTURE_BYTES / (width * height * (overlay ? 8 : 4))) - 2);
}

/** What a store would not show: `status` is that of HTTP. */
export class NotShown extends Error {
  constructor(status) {
    super(`status ${status}`);
    this.status = status;
  }
}

/** Keeps what was used last, up to a number of bytes. */
class Kept {
  constructor(most) {
    this.most = most;
    this.bytes = 0;
    this.entries = new Map();
  }

  get(key) {
    const entry = this.entries.get(key);
    if (!entry) return undefined;
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry.value;
  }

  put(key, value, bytes) {
    this.remove(key);
    this.entries.set(key, { value, bytes });
    this.bytes += bytes;
    for (const [oldest, entry] of this.entries) {
      if (this.bytes <= this.most || oldest === key) break;
      this.entries.delete(oldest);
      this.bytes -= entry.bytes;
    }
  }

  remove(key) {
    const entry = this.entries.get(key);
    if (!entry) return;
    this.entries.delete(key);
    this.bytes -= entry.bytes;
  }
}

export class Frames {
  /** `base` is the address of a DICOMweb store, with a slash at its end. */
  constructor(base) {
    this.base = base;
    this.descriptions = new Map();
    this.samples = new Kept(MOST_BYTES);
    this.pictures = new Kept(MOST_PICTURE_BYTES);
    this.underWay = new Map();
    this.drawnElsewhere = new Set();
    this.windows = new Map();
  }

  address({ study, series, instance }) {
    return `${this.base}studies/${study}/series/${series}/instances/${instance}`;
  }

  /** Return what the header of an instance says of its pixels. */
  description(instance) {
    const key = instance.instance;
    if (!this.descriptions.has(key)) {
      const asked = this.fetched(`${this.address(instance)}/metadata`, "application/dicom+json")
        .then((response) => response.json())
        .then(([attributes]) => describe(attributes, instance.syntax));
      asked.catch(() => this.descriptions.delete(key));
      this.descriptions.set(key, asked);
    }
    return this.descriptions.get(key);
  }

  async fetched(address, accept) {
    const response = await fetch(address, { headers: { Accept: accept }, cache: "no-store" });
    if (!response.ok) throw new NotShown(response.status);
    return response;
  }

  /** Return samples of a frame, counted from 1; undefined where the service has to draw it. */
  async frame(instance, number) {
    const description = await this.description(instance);
    if (!["samples", "jpeg"].includes(description.how) || this.drawnElsewhere.has(instance.instance)) return undefined;
    const key = `${instance.instance}/${number}`;
    const known = this.samples.get(key);
    if (known) return known;
    if (!this.underWay.has(key)) {
      const asked = this.ask(instance, number, description).finally(() => this.underWay.delete(key));
      this.underWay.set(key, asked);
    }
    return this.underWay.get(key);
  }

  async ask(instance, number, description) {
    const address = `${this.address(instance)}/frames/${number}`;
    try {
      const samples = description.how === "jpeg"
        ? await decodedJpeg(await this.fetched(address, "image/jpeg"), description)
        : samplesOf(description, await (await this.fetched(address, "application/octet-stream")).arrayBuffer());
      this.samples.put(`${instance.instance}/${number}`, samples, samples.byteLength ?? samples.data.byteLength);
      return samples;
    } catch (error) {
      if (error instanceof NotShown && error.status !== 406) throw error;
      this.drawnElsewhere.add(instance.instance);
      return undefined;
    }
  }

  /** Return the window that a frame is shown with unasked; undefined where the service decides, or it has colour. */
  async ownWindow(instance, number) {
    const description = await this.description(instance);
    if (!description.isGrey) return undefined;
    const grey = greyscale(description, number);
    if (grey.hasTable || grey.hasModalityTable) return undefined;
    const key = `${instance.instance}/${number}`;
    const known = this.windows.get(key);
    if (known) return known;
    const samples = await this.frame(instance, number);
    const found = samples ? ownWindow(description, samples, number) : grey.windows[0];
    this.windows.set(key, found);
    return found;
  }

  /**
   * Return a canvas with a frame as it is displayed; undefined where an instance has no pictures.
   * What is set in its overlay planes is a canvas of its own, `overlay`, to be laid over it.
   */
  async picture(instance, number, window) {
    const canvas = await this.plain(instance, number, window);
    if (canvas && !canvas.overlay && (await this.description(instance)).hasOverlays) {
      canvas.overlay = await this.overlay(instance, number);
    }
    return canvas;
  }

  async overlay(instance, number) {
    const key = `${instance.instance}/${number}/overlay`;
    const known = this.pictures.get(key);
    if (known) return known;
    const canvas = await this.rendered(instance, number, "overlays=only");
    this.pictures.put(key, canvas, canvas.width * canvas.height * 4);
    return canvas;
  }

  async plain(instance, number, window) {
    const description = await this.description(instance);
    if (["nothing", "video"].includes(description.how)) return undefined;
    const told = description.isGrey && window ? [window.center, window.width, window.kind].join() : "";
    const key = `${instance.instance}/${number}/${told}`;
    const known = this.pictures.get(key);
    if (known) return known;
    const grey = greyscale(description, number);
    const byService = grey.hasModalityTable || (grey.hasTable && !told);
    const samples = byService ? undefined : await this.frame(instance, number);
    const canvas = samples
      ? drawn(description, samples, number, window)
      : await this.rendered(instance, number, told ? `overlays=no&window=${told.replace("_", "-").toLowerCase()}` : "overlays=no");
    this.pictures.put(key, canvas, canvas.width * canvas.height * 4);
    return canvas;
  }

  async rendered(instance, number, asked) {
    const response = await this.fetched(`${this.address(instance)}/frames/${number}/rendered?${asked}`, "image/png");
    return onCanvas(await createImageBitmap(await response.blob(), { colorSpaceConversion: "none" }));
  }
}

function drawn(description, samples, number, window) {
  if (samples instanceof ImageData) return onCanvas(samples);
  const shown = description.isGrey ? window ?? ownWindow(description, samples, number) : undefined;
  return onCanvas(picture(description, samples, number, shown));
}

function onCanvas(image) {
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d", { willReadFrequently: false });
  if (image instanceof ImageData) context.putImageData(image, 0, 0);
  else context.drawImage(image, 0, 0);
  return canvas;
}

/** Return grey samples, or a picture in colour, of a JPEG that the browser decodes. */
async function decodedJpeg(response, description) {
  const bitmap = await createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const image = context.getImageData(0, 0, bitmap.width, bitmap.height);
  if (!description.isGrey) return image;
  return Uint8Array.from({ length: bitmap.width * bitmap.height }, (_, index) => image.data[4 * index]);
}
