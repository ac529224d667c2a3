// What a JavaScript client that does not know us does with a FHIR store; prints what it saw as JSON.
import { Client } from "fhir-kit-client";

const [, , baseUrl, what] = process.argv;
const client = new Client({ baseUrl });
const seen = {};

async function status(promise) {
  try {
    await promise;
    return 200;
  } catch (error) {
    return error.response?.status ?? String(error);
  }
}

seen.version = (await client.capabilityStatement()).fhirVersion;
if (what === "write") {
  const system = "urn:kit";
  const value = String(process.pid);
  const created = await client.create({
    resourceType: "Patient",
    body: { resourceType: "Patient", identifier: [{ system, value }] },
  });
  seen.created = created.meta.versionId;
  const read = await client.read({ resourceType: "Patient", id: created.id });
  seen.read = read.id === created.id;
  const updated = await client.update({
    resourceType: "Patient",
    id: created.id,
    body: { ...read, active: true },
    options: { headers: { "If-Match": `W/"${read.meta.versionId}"` } },
  });
  seen.updated = updated.meta.versionId;
  seen.stale = await status(
    client.update({
      resourceType: "Patient",
      id: created.id,
      body: read,
      options: { headers: { "If-Match": 'W/"1"' } },
    }),
  );
  seen.vread = (await client.vread({ resourceType: "Patient", id: created.id, version: "1" })).active ?? null;
  seen.history = (await client.history({ resourceType: "Patient", id: created.id })).entry.length;
  const jane = "urn:uuid:0f4b1a52-6f0a-4d5b-9d0f-1d2c3b4a5968";
  const answer = await client.transaction({
    body: {
      resourceType: "Bundle",
      type: "transaction",
      entry: [
        {
          fullUrl: jane,
          resource: { resourceType: "Patient", identifier: [{ system, value: `${value}-t` }] },
          request: { method: "POST", url: "Patient" },
        },
        ...["a", "b", "c"].map((code) => ({
          resource: {
            resourceType: "Observation",
            status: "final",
            code: { coding: [{ system, code }] },
            subject: { reference: jane },
          },
          request: { method: "POST", url: "Observation" },
        })),
      ],
    },
  });
  seen.transaction = answer.entry.map((each) => each.response.status.slice(0, 3));
  const patient = answer.entry[0].response.location.split("/_history")[0];
  let page = await client.search({
    resourceType: "Observation",
    searchParams: { patient, _count: 2 },
  });
  seen.total = page.total;
  seen.pages = [page.entry.length];
  page = await client.nextPage({ bundle: page });
  seen.pages.push(page.entry.length);
  await client.delete({ resourceType: "Patient", id: created.id });
  seen.deleted = await status(client.read({ resourceType: "Patient", id: created.id }));
} else {
  const page = await client.search({ resourceType: "Patient", searchParams: { _count: 1 } });
  seen.found = page.total;
  seen.read = (await client.read({ resourceType: "Patient", id: page.entry[0].resource.id })).resourceType;
  seen.refused = await status(
    client.create({ resourceType: "Patient", body: { resourceType: "Patient" } }),
  );
}
console.log(JSON.stringify(seen));
