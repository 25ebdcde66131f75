import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadPlan } from "../../config/load.ts";
import { parseStackConfig } from "../../config/stack.ts";
import { readStackFile, stackNames } from "../../config/stack-file.ts";
import { parseSize } from "../../core/size.ts";
import { judgePlan } from "../../gates/plan.ts";
import core from "../gateway-core/image.ts";
import full from "./image.ts";

const root = join(import.meta.dirname, "../..");
const dockerfile = readFileSync(join(import.meta.dirname, "Dockerfile"), "utf8");

describe("gateway-full", () => {
  it("is core and one run of the loader's own installers, labelled pre-warmed", () => {
    assert.equal(full.base, core[0]?.name);
    const instructions = dockerfile.split("\n").filter((line) => /^(?:RUN|COPY|ADD|USER) /.test(line));
    assert.deepEqual(instructions, ["RUN tool-loader install --baked ${TOOLS}"]);
    assert.match(dockerfile, /^ARG TOOLS=--all$/m);
    assert.match(dockerfile, /^LABEL io\.keelson\.gateway\.tier="pre-warmed"/m);
  });

  it("is 000's 4 GB at most, and no stack's default", () => {
    assert.equal(parseSize(full.budget.compressed), 4e9);
    for (const stack of stackNames(root)) assert.ok(!readStackFile(root, stack).images.includes(full.name), stack);
  });

  it("has no finding where a stack builds it", async () => {
    const config = parseStackConfig({ images: [full.name] }, "Pulumi.x.yaml");
    const loaded = await loadPlan(root, "x", config, { host: "linux/amd64", revision: undefined });
    assert.deepEqual(await judgePlan(loaded, config.gates), []);
  });
});
