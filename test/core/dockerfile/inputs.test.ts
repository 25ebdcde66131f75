import assert from "node:assert/strict";
import { dockerfileInputs, globalScope, parseDockerfile, walkStage } from "../../../core/dockerfile.ts";

const file = parseDockerfile(`ARG BASE_IMAGE
ARG TAG=1
FROM --platform=$BUILDPLATFORM golang:\${TAG} AS build
COPY . .
FROM build AS unused
RUN --mount=from=busybox:1,target=/b true
FROM \${BASE_IMAGE} AS base
FROM base
COPY --from=build /a /a
COPY --from=0 /b /b
COPY --from=tools /t /t
COPY --from=alpine:3 /c /c
RUN --mount=type=bind,from=deb,target=/deb true
`);

describe("dockerfileInputs", () => {
  it("gives what the last stage reads, and nothing of stages that do not lead to it", () => {
    const inputs = dockerfileInputs(file, { args: { BASE_IMAGE: "debian@sha256:1" }, contexts: ["tools", "deb"] });
    assert.deepEqual(inputs.images, ["alpine:3", "debian@sha256:1", "golang:1"]);
    assert.deepEqual(inputs.contexts, ["deb", "tools"]);
    assert.deepEqual(
      inputs.stages.map((stage) => stage.name),
      ["build", "base", undefined],
    );
    assert.equal(inputs.mainContext, true);
  });

  it("takes a target by name in any case, or by number", () => {
    assert.deepEqual(dockerfileInputs(file, { target: "Unused" }).images, ["busybox:1", "golang:1"]);
    assert.deepEqual(dockerfileInputs(file, { target: "0" }).images, ["golang:1"]);
    assert.deepEqual(dockerfileInputs(file, { target: "none" }).stages, []);
  });

  it("lets a context take the place of a stage or an image", () => {
    assert.deepEqual(dockerfileInputs(file, { target: "unused", contexts: ["build", "busybox:1"] }), {
      ...dockerfileInputs(file, { target: "unused", contexts: ["build", "busybox:1"] }),
      images: [],
      contexts: ["build", "busybox:1"],
      mainContext: false,
    });
  });

  it("takes no number for an image: the builder refuses one that no stage has", () => {
    const inputs = dockerfileInputs(parseDockerfile("FROM a\nCOPY --from=99 /x /x\nCOPY --from=b /x /x\n"));
    assert.deepEqual(inputs.images, ["a", "b"]);
  });

  it("names variables that nothing sets", () => {
    const [use] = dockerfileInputs(parseDockerfile("FROM ${NONE}/x")).uses;
    assert.deepEqual(use?.to, { kind: "image", name: "/x", missing: ["NONE"] });
  });

  it("reads the main context for COPY, ADD of paths and bind mounts only", () => {
    const reads = (line: string) => dockerfileInputs(parseDockerfile(`FROM a\n${line}\n`)).mainContext;
    assert.deepEqual(
      [
        "COPY a b",
        "ADD a b",
        "RUN --mount=target=/x y",
        "COPY --from=i a b",
        "ADD https://x/y b",
        "COPY <<E b\nE",
        "RUN --mount=type=cache,target=/x y",
      ].map(reads),
      [true, true, true, false, false, false, false],
    );
  });
});

describe("scopes", () => {
  it("gives FROM the arguments before it: passed ones, then defaults, in order", () => {
    const scoped = parseDockerfile("ARG A=1\nARG B=${A}x\nARG C\nFROM $B");
    assert.equal(globalScope(scoped).get("B"), "1x");
    assert.equal(globalScope(scoped, { A: "2" }).get("B"), "2x");
    assert.equal(globalScope(scoped).get("C"), undefined);
    assert.equal(globalScope(scoped, {}, "linux/arm64").get("TARGETARCH"), "arm64");
  });

  it("gives each instruction the variables before it, inherited ones too", () => {
    const scoped = parseDockerfile(
      "ARG G=g\nFROM a AS one\nARG G\nARG L=l\nENV P=$G-$L\nFROM one\nARG N\nENV P=$P+ L=env\nUSER $L",
    );
    const [, second] = scoped.stages;
    assert.ok(second);
    const steps = [...walkStage(scoped, second, { N: "n" })];
    const last = steps.at(-1)?.variables;
    assert.deepEqual([last?.get("G"), last?.get("P"), last?.get("L"), last?.get("N")], ["g", "g-l+", "env", "n"]);
  });
});
