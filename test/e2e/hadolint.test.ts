import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readDefinitions } from "../../config/catalogue.ts";
import { parseDockerfile } from "../../core/dockerfile.ts";
import { formatFinding } from "../../core/finding.ts";
import { judgeDockerfile } from "../../gates/dockerfiles.ts";
import { lintDockerfiles } from "../../toolchain/hadolint.ts";
import { projectRoot } from "../../toolchain/home.ts";

/** Needs hadolint, which is got from a Python package where it is missing. */
describe("hadolint itself", function () {
  this.timeout("5m");
  const root = projectRoot();

  async function judge(dockerfiles: ReadonlyMap<string, string>) {
    const { hits, obstacle } = await lintDockerfiles(dockerfiles, true);
    assert.equal(obstacle, undefined);
    return [...dockerfiles].flatMap(([name, text]) => {
      const dockerfile = parseDockerfile(text, `images/${name}/Dockerfile`);
      return judgeDockerfile({ name, dockerfile, hadolint: hits.get(name) ?? [] });
    });
  }

  it("has nothing to say of the catalogue's Dockerfiles", async () => {
    const texts = (await readDefinitions(root)).map(({ folder, definition }) => {
      const text = readFileSync(join(root, folder, "Dockerfile"), "utf8");
      return [definition.name, text] as const;
    });
    assert.ok(texts.length > 0);
    assert.deepEqual((await judge(new Map(texts))).map(formatFinding), []);
  });

  it("finds what is wrong, by line, whatever comments say", async () => {
    const text = [
      "ARG BASE_IMAGE",
      "FROM ${BASE_IMAGE}",
      "# hadolint ignore=DL3004",
      "RUN sudo true",
      "RUN echo $(ls)",
      "MAINTAINER x",
      "ADD here /there",
      'COPY --from=packages ["a", "/b"]',
      "RUN apt-get update && apt-get install -y --no-install-recommends curl",
      "",
    ].join("\n");
    const found = (await judge(new Map([["bad", text]]))).filter((f) => f.rule.startsWith("hadolint/"));
    assert.deepEqual(
      found.map((f) => `${f.severity} ${f.rule} ${f.where?.line}`),
      ["error hadolint/DL3004 4", "error hadolint/DL3020 7", "error hadolint/DL4000 6", "info hadolint/SC2005 5"],
    );
  });
});
