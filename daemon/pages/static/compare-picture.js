// From samples to a picture: grey by window, colour by photometric interpretation (PS3.3 C.7.6.3, C.11.2).

import { greyscale } from "./compare-header.js";

/** Return samples as stored, from the bytes that the service sent. */
export function samplesOf(description, buffer) {
  const { rows, columns, samples, bitsAllocated } = description;
  const count = rows * columns * samples;
  if (bitsAllocated === 16) return new Uint16Array(buffer, 0, count);
  const bytes = new Uint8Array(buffer);
  if (bitsAllocated === 8) return bytes.subarray(0, count);
  return Uint8Array.from({ length: count }, (_, index) => (bytes[index >> 3] >> (index & 7)) & 1);
}

/** Return the window that is used where nobody chose one; from lowest to highest where the header has none. */
export function ownWindow(description, samples, frame) {
  const grey = greyscale(description, frame);
  if (grey.windows.length) return grey.windows[0];
  if (description.bits <= 8 && !description.isSigned && !grey.isTransformed) {
    const highest = 2 ** description.bits - 1;
    return { center: highest / 2, width: highest, kind: "LINEAR_EXACT", name: "" };
  }
  return wholeRange(description, samples, frame);
}

/** Return the window from the lowest to the highest value that is not padding. */
export function wholeRange(description, samples, frame) {
  const grey = greyscale(description, frame);
  const value = reader(description);
  let low = Infinity;
  let high = -Infinity;
  for (let index = 0; index < samples.length; index += 1) {
    const found = value(samples[index]);
    if (grey.padding && found >= grey.padding[0] && found <= grey.padding[1]) continue;
    if (found < low) low = found;
    if (found > high) high = found;
  }
  if (low > high) { low = 0; high = 0; }
  const ends = [low, high].map((end) => end * grey.slope + grey.intercept).sort((a, b) => a - b);
  return { center: (ends[0] + ends[1]) / 2, width: Math.max(ends[1] - ends[0], 1e-6), kind: "LINEAR_EXACT", name: "" };
}

/** Return a function from a stored sample to its value: unused bits off, sign extended. */
function reader({ bits, shift, isSigned }) {
  const mask = 2 ** bits - 1;
  const half = 2 ** (bits - 1);
  return (sample) => {
    const value = (sample >> shift) & mask;
    return isSigned && value >= half ? value - mask - 1 : value;
  };
}

function share(value, { center, width, kind }) {
  if (kind === "SIGMOID") return 1 / (1 + Math.exp((-4 * (value - center)) / width));
  const exact = kind === "LINEAR_EXACT" ? { center, width } : { center: center - 0.5, width: width - 1 };
  if (exact.width <= 0) return value > exact.center ? 1 : 0;
  return Math.min(1, Math.max(0, (value - exact.center) / exact.width + 0.5));
}

/** Return a picture of samples as ImageData. */
export function picture(description, samples, frame, window) {
  const image = new ImageData(description.columns, description.rows);
  const pixels = new Uint32Array(image.data.buffer);
  if (description.isGrey) paintGrey(description, samples, pixels, greyscale(description, frame), window);
  else if (description.palette) paintPalette(description, samples, pixels);
  else paintColour(description, samples, pixels);
  return image;
}

function packed(red, green, blue) {
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

function paintGrey(description, samples, pixels, grey, window) {
  const { bits, shift } = description;
  const mask = 2 ** bits - 1;
  const value = reader({ ...description, shift: 0 });
  const table = new Uint32Array(mask + 1);
  for (let sample = 0; sample <= mask; sample += 1) {
    const stored = value(sample);
    let level = share(stored * grey.slope + grey.intercept, window);
    if (description.photometric === "MONOCHROME1") level = 1 - level;
    if (grey.padding && stored >= grey.padding[0] && stored <= grey.padding[1]) level = 0;
    const byte = Math.round(level * 255);
    table[sample] = packed(byte, byte, byte);
  }
  for (let index = 0; index < pixels.length; index += 1) pixels[index] = table[(samples[index] >> shift) & mask];
}

function paintPalette({ palette }, samples, pixels) {
  const [red, green, blue] = palette;
  const at = (table, sample) => table.entries[Math.min(table.entries.length - 1, Math.max(0, sample - table.lowest))];
  const most = Math.max(...palette.map((table) => table.lowest + table.entries.length));
  const colours = Uint32Array.from({ length: most }, (_, sample) => packed(at(red, sample), at(green, sample), at(blue, sample)));
  for (let index = 0; index < pixels.length; index += 1) pixels[index] = colours[Math.min(samples[index], most - 1)];
}

function paintColour({ photometric, isPlanar }, samples, pixels) {
  const count = pixels.length;
  const step = isPlanar ? 1 : 3;
  const [second, third] = isPlanar ? [count, 2 * count] : [1, 2];
  const isYbr = photometric === "YBR_FULL";
  for (let index = 0, at = 0; index < count; index += 1, at += step) {
    const [a, b, c] = [samples[at], samples[at + second], samples[at + third]];
    pixels[index] = isYbr ? fromYbr(a, b - 128, c - 128) : packed(a, b, c);
  }
}

function fromYbr(luminance, blue, red) {
  const clipped = (value) => Math.min(255, Math.max(0, Math.round(value)));
  return packed(
    clipped(luminance + 1.402 * red),
    clipped(luminance - 0.344136 * blue - 0.714136 * red),
    clipped(luminance + 1.772 * blue),
  );
}
