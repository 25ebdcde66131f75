import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pythonFindings } from "../../core/app-source.ts";
import image from "./image.ts";

const read = (file: string) => readFileSync(join(import.meta.dirname, file), "utf8");

describe("image service-own", () => {
  it("pins every wheel by its hashes, and has its application", () => {
    const texts = new Map([["requirements.lock", read("app/requirements.lock")]]);
    const files = ["requirements.lock", "memory_fusion_hub/main.py"];
    assert.deepEqual(pythonFindings({ subject: "x", folder: "app", files, texts, app: image.source.python.app }), []);
  });

  it("emulates nothing, and puts packages below the code", () => {
    const stages = read("Dockerfile").split(/^(?=FROM )/m);
    const [builder = "", runtime = ""] = stages.slice(-2);
    assert.match(builder, /^FROM --platform=\$\{BUILDPLATFORM\}/);
    assert.doesNotMatch(runtime, /^RUN /m);
    assert.ok(runtime.indexOf("/out/usr/") < runtime.indexOf("/out/app/"));
  });

  it("checks hashes, keeps pip's cache beside the image, and compiles nothing", () => {
    const install = read("build/install");
    assert.match(install, /--require-hashes/);
    assert.match(install, /--no-compile/);
    assert.doesNotMatch(install, /--no-cache-dir/);
    assert.match(read("Dockerfile"), /--mount=type=cache,id=pip,target=\/root\/\.cache\/pip/);
  });
});
