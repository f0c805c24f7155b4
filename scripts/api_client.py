"""Lint the server's OpenAPI document, generate a client from it, and call every endpoint with that client.

    pip install openapi-python-client==0.29.1            (and, for the linter, node with npx)
    syncabel serve --run syncabel-demo --review /tmp/api-check.db &
    python3 scripts/api_client.py http://127.0.0.1:8417 [TOKEN]

The linter is @redocly/cli 2.77.0 with its recommended rules. The stream /api/v1/batch is not generated (the generator knows no
newline-delimited JSON) and is called by hand. Written with Python 3.11.
"""

import importlib
import json
import pkgutil
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

url, token = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "none"
work = Path(tempfile.mkdtemp())
(work / "openapi.json").write_bytes(urllib.request.urlopen(url + "/openapi.json").read())
if shutil.which("npx"):
    subprocess.run(["npx", "--yes", "@redocly/cli@2.77.0", "lint", "--max-problems", "20", str(work / "openapi.json")], check=True)
subprocess.run(["openapi-python-client", "generate", "--path", str(work / "openapi.json"), "--output-path", str(work / "linker"), "--meta", "none"],
               check=True, stdout=subprocess.DEVNULL)
sys.path.insert(0, str(work))
import linker  # noqa: E402

client = linker.AuthenticatedClient(base_url=url, token=token)
called = set()


def call(name, body=None, **arguments):
    """Call an operation with the generated code; the body is built by the generated model from a dict."""
    module = next(importlib.import_module(m.name) for m in pkgutil.walk_packages(linker.__path__, "linker.") if not m.ispkg and m.name.endswith("." + name) and ".api." in m.name)
    if body is not None:
        model = module._get_kwargs.__annotations__["body"]
        arguments["body"] = model.from_dict(body)
    response = client.get_httpx_client().request(**module._get_kwargs(**arguments))
    assert response.status_code in (200, 204), (name, response.status_code, response.content[:300])
    called.add(name)
    if response.headers.get("Content-Type") != "application/json" or name == "export":
        return response.content
    return module._parse_response(client=client, response=response)


sentence = {"text": "She had a [heart attack]{Disorders} and [fever]{Findings}.", "language": "en"}
linked = call("link", sentence)
assert linked.links[0].candidates, linked
code = linked.links[0].candidates[0].code
assert call("candidates", {"text": "a [heart attack]{Disorders}"}).candidates
assert call("search", q="hart atack").hits
assert call("concept", code=code).names
assert call("info").groups and call("runs").runs
call("report", run=0)
for name in ("live", "ready", "metrics"):
    call(name)
for form in call("info").formats:
    assert call("export", {"format": form, "documents": [{"id": "1", **sentence}]}), form
item = {"text": "He had a fever.", "start": 9, "end": 14, "group": "Findings", "language": "en", "candidates": [{"code": code, "name": "x", "probability": 0.4}]}
call("review_add", {"items": [item]})
ids = [i.id for i in call("review_next", queue=importlib.import_module("linker.models").ReviewNextQueue("uncertain"), reviewer="robot").items]
call("review_decide", {"item": ids[0], "reviewer": "robot", "action": "accept"})
call("review_undo", {"queue": "uncertain", "reviewer": "robot"})
call("review_decide", {"item": ids[0], "reviewer": "robot", "action": "correct", "code": code, "note": "by the generated client"})
assert call("review_summary").queues and call("review_log").decisions and call("review_export")
call("medcat_info")
assert call("medcat_process", {"content": {"text": "a [heart attack]{Disorders}"}}).result.annotations.to_dict()
assert len(call("medcat_process_bulk", {"content": [{"text": "a [heart attack]{Disorders}"}, {"text": ""}]}).result) == 2
call("label_studio_health")
call("label_studio_setup", {"project": "1"})
assert call("label_studio_predict", {"tasks": [{"id": 1, "data": {"text": "a heart attack"}, "annotations": [
    {"result": [{"id": "r", "type": "labels", "value": {"start": 2, "end": 14, "labels": ["Disorders"]}}]}]}]}).results[0].result
xmi = ('<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore" xmlns:t="http:///x.ecore" xmi:version="2.0"><t:NE xmi:id="2" sofa="1" begin="2" end="14"/>'
       '<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString="a heart attack"/><cas:View sofa="1" members="2"/></xmi:XMI>')
answer = call("inception_predict", {"metadata": {"layer": "x.NE", "feature": "identifier"}, "document": {"xmi": xmi}, "typeSystem": ""})
assert code in answer.document, answer
call("inception_train", {"documents": []})
everything = {m.name.rsplit(".", 1)[1] for m in pkgutil.walk_packages(linker.api.__path__, "linker.api.") if not m.ispkg}
assert called == everything, everything - called
request = urllib.request.Request(url + "/api/v1/batch", data=(json.dumps(sentence) + "\n").encode() * 2, headers={"Content-Type": "application/x-ndjson", "Authorization": "Bearer " + token})
assert len(urllib.request.urlopen(request).read().splitlines()) == 2
print(f"{len(called)} operations called by the generated client, and the stream")
