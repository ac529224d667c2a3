// What an instance's header says of its pixels: DICOM JSON (PS3.18 F.2) in, a plain description out.

const NATIVE = new Set([
  "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2",
  "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1",
]);
const LOSSLESS = new Set([
  "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80",
  "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202",
]);
const BASELINE_JPEG = "1.2.840.10008.1.2.4.50";
const JPEG_LS = "1.2.840.10008.1.2.4.80";
const VIDEO = /^1\.2\.840\.10008\.1\.2\.4\.10\d(\.1)?$/;
/** Overlay Data, or the bit of Pixel Data that a plane lies in: groups 6000 to 60FE (PS3.3 C.9.2). */
const OVERLAY = /^60[0-9A-F][02468ACE](3000|0102)$/;
const GREY = new Set(["MONOCHROME1", "MONOCHROME2"]);

/** Return the values of an attribute. */
export function values(attributes, tag) {
  return attributes?.[tag]?.Value ?? [];
}

/** Return the first value of an attribute, or `otherwise`. */
export function first(attributes, tag, otherwise = undefined) {
  return values(attributes, tag)[0] ?? otherwise;
}

function numeric(attributes, tag) {
  const value = Number(first(attributes, tag, NaN));
  return Number.isFinite(value) ? value : undefined;
}

/** Return the item of a functional group macro for a frame, counted from 1 (PS3.3 C.7.6.16). */
function macro(attributes, frame, tag) {
  const groups = [values(attributes, "52009230")[frame - 1], first(attributes, "52009229")];
  for (const group of groups) {
    const item = first(group, tag);
    if (item) return item;
  }
  return undefined;
}

/** Tell how the samples that the service sends are to be read; `how` says in which form to ask for them. */
export function describe(attributes, syntax) {
  const rows = first(attributes, "00280010", 0);
  const columns = first(attributes, "00280011", 0);
  const samples = first(attributes, "00280002", 1);
  const bitsAllocated = first(attributes, "00280100", 8);
  const bits = first(attributes, "00280101", bitsAllocated);
  const stored = String(first(attributes, "00280004", "MONOCHROME2"));
  const description = {
    rows, columns, samples, bitsAllocated, bits,
    shift: Math.max(0, first(attributes, "00280102", bits - 1) - bits + 1),
    isSigned: first(attributes, "00280103", 0) === 1,
    isPlanar: first(attributes, "00280006", 0) === 1 && NATIVE.has(syntax) && samples > 1,
    photometric: NATIVE.has(syntax) ? stored : decodedAs(stored, syntax),
    isGrey: GREY.has(stored),
    hasOverlays: Object.keys(attributes).some((tag) => OVERLAY.test(tag)),
    palette: undefined,
    attributes,
  };
  if (stored === "PALETTE COLOR") description.palette = palette(attributes);
  description.how = howToAsk(description, stored, syntax);
  return description;
}

/** Return what decoded samples are: the service undoes component transforms. */
function decodedAs(photometric, syntax) {
  if (photometric === "YBR_FULL_422") return syntax === JPEG_LS ? "RGB" : "YBR_FULL";
  return { YBR_RCT: "RGB", YBR_ICT: "RGB" }[photometric] ?? photometric;
}

function howToAsk(description, stored, syntax) {
  if (VIDEO.test(syntax)) return "video";
  if (!description.rows || !description.columns) return "nothing";
  const isJpeg = description.bits === 8
    && (description.isGrey ? description.samples === 1 : ["YBR_FULL_422", "YBR_FULL"].includes(stored));
  if (syntax === BASELINE_JPEG) return isJpeg ? "jpeg" : "picture";
  if (!NATIVE.has(syntax) && !LOSSLESS.has(syntax)) return "picture";
  if (![1, 8, 16].includes(description.bitsAllocated) || description.bits > 16) return "picture";
  if (!description.attributes["7FE00010"]) return description.attributes["7FE00008"] || description.attributes["7FE00009"] ? "picture" : "nothing";
  if (description.isGrey) return description.samples === 1 ? "samples" : "picture";
  if (stored === "PALETTE COLOR") return description.palette && description.bitsAllocated > 1 ? "samples" : "picture";
  const isColour = ["RGB", "YBR_FULL"].includes(description.photometric);
  return isColour && description.samples === 3 && description.bitsAllocated === 8 && description.bits === 8 && !description.isSigned ? "samples" : "picture";
}

/** Return red, green and blue by index, if the header holds them itself and not in segments (PS3.3 C.7.6.3.1.5). */
function palette(attributes) {
  const tables = [["00281101", "00281201"], ["00281102", "00281202"], ["00281103", "00281203"]].map(
    ([descriptor, data]) => table(values(attributes, descriptor), attributes[data]?.InlineBinary),
  );
  return tables.every(Boolean) ? tables : undefined;
}

function table(descriptor, inline) {
  if (descriptor.length !== 3 || !inline) return undefined;
  const bytes = Uint8Array.from(atob(inline), (letter) => letter.charCodeAt(0));
  const entries = descriptor[0] || 65536;
  const isWide = bytes.length >= 2 * entries;
  const at = (index) => (isWide ? bytes[2 * index] | (bytes[2 * index + 1] << 8) : bytes[index]);
  const found = Array.from({ length: entries }, (_, index) => at(index));
  // Some writers store entries of 8 bits in the low bytes of words of 16.
  const isDeep = descriptor[2] > 8 && found.some((value) => value > 255);
  return { lowest: descriptor[1], entries: found.map((value) => (isDeep ? value >> 8 : value)) };
}

/** Return what turns stored values of a frame into grey (PS3.3 C.11), but for a window that somebody chose. */
export function greyscale(description, frame) {
  const { attributes } = description;
  const values_ = macro(attributes, frame, "00289145") ?? attributes;
  const slope = numeric(values_, "00281053");
  const intercept = numeric(values_, "00281052");
  const interest = macro(attributes, frame, "00289132") ?? attributes;
  return {
    slope: slope ?? 1,
    intercept: intercept ?? 0,
    isTransformed: (slope ?? 1) !== 1 || (intercept ?? 0) !== 0,
    padding: padding(attributes),
    hasModalityTable: values(attributes, "00283000").length > 0,
    hasTable: values(interest, "00283010").length > 0,
    windows: windows(interest),
  };
}

function padding(attributes) {
  const value = first(attributes, "00280120");
  if (value === undefined) return undefined;
  const limit = first(attributes, "00280121", value);
  return [Math.min(value, limit), Math.max(value, limit)];
}

/** Return the windows that a header proposes, in its order. */
function windows(item) {
  const named = String(first(item, "00281056", "LINEAR")).trim().toUpperCase();
  const kind = ["LINEAR", "LINEAR_EXACT", "SIGMOID"].includes(named) ? named : "LINEAR";
  const widths = values(item, "00281051").map(Number);
  const names = values(item, "00281055");
  return values(item, "00281050").map((center, index) => ({
    center: Number(center), width: widths[index], kind, name: String(names[index] ?? ""),
  })).filter(({ center, width }) => Number.isFinite(center) && (kind === "LINEAR" ? width >= 1 : width > 0));
}
