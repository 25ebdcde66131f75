import assert from "node:assert/strict";
import {
  buildsByDockerAlone,
  daemonPlatform,
  dockerNames,
  requirePlatform,
  upstreamReference,
} from "../../core/docker-alone.ts";
import type { Plan } from "../../core/plan.ts";

describe("Docker alone", () => {
  const linux = { os: "linux", asked: false, builder: "auto", bases: "auto" } as const;

  it("builds on macOS and Windows, and on Linux where it is asked to", () => {
    assert.equal(buildsByDockerAlone(linux), false);
    assert.equal(buildsByDockerAlone({ ...linux, builder: "embedded", bases: "bootstrapped" }), false);
    assert.equal(buildsByDockerAlone({ ...linux, asked: true }), true);
    for (const os of ["darwin", "win32"])
      for (const builder of ["auto", "docker", { docker: { image: "mirror.example/buildkit:1" } }] as const)
        assert.equal(buildsByDockerAlone({ ...linux, os, builder }), true);
  });

  it("says where a stack wants what only another builder has", () => {
    const remote = { remote: { nodes: [] } };
    for (const [question, said] of [
      [{ os: "darwin", builder: "embedded" }, /^macOS builds with Docker alone, and keelson:builder is embedded$/],
      [{ os: "win32", builder: remote }, /^Windows builds with Docker alone, and keelson:builder is remote$/],
      [{ asked: true, builder: "embedded" }, /^--docker builds with Docker alone/],
      [{ os: "win32", bases: "bootstrapped" }, /^Windows takes bases from their registries/],
    ] as const)
      assert.throws(() => buildsByDockerAlone({ ...linux, ...question }), { name: "UserError", message: said });
  });

  it("builds the daemon's platform, and none of Windows containers", () => {
    assert.equal(daemonPlatform("linux", "arm64"), "linux/arm64");
    assert.throws(() => daemonPlatform("windows", "amd64"), {
      message: /Windows containers/,
      fix: /switch Docker Desktop to Linux containers/,
    });
    assert.throws(() => daemonPlatform("linux", "riscv64"), /linux\/riscv64/);
  });

  const built = (...platforms: string[]) => platforms.map((platform) => ({ platform, node: "local", mode: "native" }));
  const plan = {
    stack: "todo",
    bases: [{ name: "debian:bookworm-slim" }, { name: "alpine:3.21", digest: "sha256:1a" }],
    images: [
      { name: "base-python", version: "1.0.0", builds: built("linux/amd64", "linux/arm64") },
      { name: "todo-backend", version: "1.2.0", builds: built("linux/amd64") },
    ],
  } as unknown as Plan;

  it("refuses a platform that a stack does not build, with what it does", () => {
    requirePlatform(plan, "linux/amd64");
    assert.throws(() => requirePlatform(plan, "linux/arm64"), {
      message: "Docker runs linux/arm64, for which stack todo does not build todo-backend (linux/amd64)",
    });
  });

  it("names images as 002 does, those alone that the stack asks for", () => {
    assert.deepEqual([...dockerNames(plan, ["todo-backend"])], [["todo-backend", "todo-backend:1.2.0"]]);
    assert.equal(dockerNames(plan, []).size, 2);
  });

  it("takes bases by digest where the lock has one", () => {
    assert.equal(upstreamReference(plan, "alpine:3.21"), "alpine:3.21@sha256:1a");
    assert.equal(upstreamReference(plan, "debian:bookworm-slim"), "debian:bookworm-slim");
  });
});
