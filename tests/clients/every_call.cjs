// Every call of the npm package dicomweb-client, once, on one service. Prints what each returned.
//
// usage: node every_call.cjs ROOT STUDY SERIES INSTANCE FRAMES FILE
// FILE is an instance to be stored, or "-" where the service takes none. The package is found by NODE_PATH.
"use strict";

const fs = require("node:fs");

// The package speaks through the browser's XMLHttpRequest; here that is fetch.
globalThis.XMLHttpRequest = class {
  constructor() {
    this.readyState = 0;
    this.status = 0;
    this.responseType = "";
    this.sent = {};
  }
  open(method, url) {
    this.method = method;
    this.url = url;
  }
  setRequestHeader(name, value) {
    this.sent[name] = value;
  }
  getResponseHeader(name) {
    return this.headers ? this.headers.get(name) : null;
  }
  getAllResponseHeaders() {
    return [...this.headers].map(([name, value]) => `${name}: ${value}`).join("\r\n");
  }
  async send(body) {
    this.onloadstart?.({});
    try {
      const answer = await fetch(this.url, { method: this.method, headers: this.sent, body });
      this.headers = answer.headers;
      this.status = answer.status;
      this.statusText = answer.statusText;
      const bytes = await answer.arrayBuffer();
      const text = () => new TextDecoder().decode(bytes);
      if (this.responseType === "arraybuffer") this.response = bytes;
      else if (this.responseType === "json") this.response = bytes.byteLength ? JSON.parse(text()) : null;
      else this.response = this.responseText = text();
      this.readyState = 4;
      this.onreadystatechange?.({});
      this.onloadend?.({});
    } catch (error) {
      this.onerror?.(error);
      throw error;
    }
  }
};

const { api } = require("dicomweb-client");
const [root, studyInstanceUID, seriesInstanceUID, sopInstanceUID, frames, file] = process.argv.slice(2);
const study = { studyInstanceUID };
const series = { ...study, seriesInstanceUID };
const instance = { ...series, sopInstanceUID };
const frameNumbers = frames.split(",").map(Number);
const pictures = [{ mediaType: "image/jpeg" }];
const client = new api.DICOMwebClient({ url: root });
const bytesOf = (data) => (Array.isArray(data) ? bytesOf(data[0]) : data instanceof ArrayBuffer ? data.byteLength : data.length);

async function bulk() {
  const [metadata] = await client.retrieveInstanceMetadata(instance);
  const [value] = await client.retrieveBulkData({ BulkDataURI: metadata["7FE00010"].BulkDataURI });
  return bytesOf(value);
}

const calls = {
  searchForStudies: async () => (await client.searchForStudies({ queryParams: { StudyInstanceUID: studyInstanceUID } })).length,
  searchForSeries: async () => (await client.searchForSeries(study)).length,
  searchForInstances: async () => (await client.searchForInstances(series)).length,
  retrieveStudyMetadata: async () => (await client.retrieveStudyMetadata(study)).length,
  retrieveSeriesMetadata: async () => (await client.retrieveSeriesMetadata(series)).length,
  retrieveInstanceMetadata: async () => (await client.retrieveInstanceMetadata(instance)).length,
  retrieveStudy: async () => (await client.retrieveStudy(study)).length,
  retrieveSeries: async () => (await client.retrieveSeries(series)).length,
  retrieveInstance: async () => bytesOf(await client.retrieveInstance(instance)),
  retrieveInstanceFrames: async () => (await client.retrieveInstanceFrames({ ...instance, frameNumbers })).map(bytesOf),
  retrieveInstanceRendered: async () => bytesOf(await client.retrieveInstanceRendered({ ...instance, mediaTypes: pictures })),
  retrieveInstanceFramesRendered: async () =>
    bytesOf(await client.retrieveInstanceFramesRendered({ ...instance, frameNumbers: [1], mediaTypes: pictures })),
  retrieveInstanceThumbnail: async () => bytesOf(await client.retrieveInstanceThumbnail({ ...instance, mediaTypes: pictures })),
  retrieveInstanceFramesThumbnail: async () =>
    bytesOf(await client.retrieveInstanceFramesThumbnail({ ...instance, frameNumbers: [1], mediaTypes: pictures })),
  retrieveBulkData: bulk,
  buildInstanceWadoURIUrl: async () => {
    const url = client.buildInstanceWadoURIUrl({ ...instance, contentType: "image/jpeg" });
    const answer = await fetch(url);
    return [answer.status, answer.headers.get("content-type")];
  },
};
if (file !== "-") {
  calls.storeInstances = async () => {
    const data = fs.readFileSync(file);
    const datasets = [data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)];
    return typeof (await client.storeInstances({ datasets }));
  };
}

(async () => {
  const told = {};
  for (const [name, call] of Object.entries(calls)) {
    try {
      told[name] = { value: await call() };
    } catch (error) {
      told[name] = { failed: String(error && (error.message || error)) };
    }
  }
  const own = Object.getOwnPropertyNames(api.DICOMwebClient.prototype);
  const missing = own.filter((name) => /^(search|retrieve|store|build)/.test(name) && !(name in calls));
  process.stdout.write(`\n${JSON.stringify({ told, missing })}\n`);
})();
