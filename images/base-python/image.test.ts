import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { Artifact } from "../../core/artifact.ts";
import { machineProfileFile, resolveMachine } from "../../core/machine.ts";
import { checkPins, parsePins } from "../../core/requirements.ts";
import deps from "../base-cpu-pydeps/image.ts";
import utils from "../base-utils/image.ts";
import web from "../family-web/image.ts";
import { FLEET } from "../fleet.ts";
import python from "./image.ts";

const read = (image: string, file: string) => readFileSync(join(import.meta.dirname, "..", image, file), "utf8");
const lockOf = (image: string): Artifact[] => JSON.parse(read(image, "packages.lock.json")).artifacts;

describe("images of the python family", () => {
  const lineage = [python, utils, deps, web];

  it("are 004's lineage, non-root, for both platforms", () => {
    assert.deepEqual(
      lineage.map((image) => image.base),
      ["debian:bookworm-slim", ...lineage.slice(0, -1).map((image) => image.name)],
    );
    for (const image of lineage) {
      assert.equal(image.user, "10001:10001");
      assert.deepEqual(image.platforms, ["linux/amd64", "linux/arm64"]);
    }
    assert.deepEqual(FLEET.families[deps.name]?.aliases, ["family-cpu-pydeps"]);
  });

  it("need no network to build", () => {
    for (const { name } of lineage) {
      const runs = read(name, "Dockerfile").match(/^RUN (?!--network=none)/gm);
      assert.equal(runs, null, name);
    }
  });

  for (const image of ["base-cpu-pydeps", "family-web"]) {
    it(`${image}: what pip checks is what the lock holds, for each platform, and what was asked for`, () => {
      const wheels = lockOf(image).filter((a) => a.file.startsWith("wheels/"));
      for (const [arch, platform] of [
        ["amd64", "linux/amd64"],
        ["arm64", "linux/arm64"],
      ] as const) {
        const file = `requirements.${arch}.lock`;
        const { pins, findings } = parsePins(read(image, file), file);
        assert.deepEqual(findings, []);
        const own = wheels.filter((a) => a.platform === undefined || a.platform === platform);
        assert.deepEqual(
          pins.map((p) => `${p.name} ${p.version} sha256-${p.hashes.join()}`).toSorted(),
          own.map((a) => `${a.name} ${a.version} ${a.integrity}`).toSorted(),
        );
      }
      const text = read(image, "requirements.txt");
      const all = [...lockOf("base-cpu-pydeps"), ...lockOf("family-web")].map(
        (a) => `${a.name}==${a.version} --hash=sha256:${"0".repeat(64)}`,
      );
      const { pins } = parsePins(all.join("\n"), "locks");
      assert.deepEqual(checkPins({ file: "requirements.txt", text }, { file: "locks", pins }), []);
    });
  }

  it("lock no package twice along the lineage", () => {
    const installed = lineage.flatMap(({ name }) => lockOf(name).filter((a) => !a.file.startsWith("build/")));
    const names = installed.map((a) => `${a.name} ${a.platform ?? a.file}`);
    assert.equal(new Set(names).size, names.length);
  });
});

describe("machine-env", () => {
  let folder = "";
  let program = "";
  before(async function () {
    folder = mkdtempSync(join(tmpdir(), "keelson-machine-env-"));
    program = join(folder, "machine-env");
    // The profile's place in the image is root's: the program is the same but for that.
    writeFileSync(
      program,
      read("base-python", "machine-env").replaceAll("/etc/machine-profile.json", join(folder, "profile.json")),
    );
    chmodSync(program, 0o755);
    const { exitCode } = await execa("/usr/bin/env", ["python3", "--version"], { reject: false });
    if (exitCode !== 0) this.skip();
  });
  after(() => rmSync(folder, { recursive: true }));

  const start = (env: Record<string, string>, ...args: string[]) =>
    execa("python3", [program, ...args], {
      env: { PATH: process.env.PATH ?? "", ...env },
      extendEnv: false,
      reject: false,
    });

  it("sets what the profile says, and leaves what is set", async () => {
    const { profile } = resolveMachine("mainpc", "rtx-4090");
    assert.ok(profile);
    writeFileSync(join(folder, "profile.json"), machineProfileFile(profile));
    const { stdout } = await start(
      { OMP_NUM_THREADS: "2" },
      "sh",
      "-c",
      "echo $MACHINE $OMP_NUM_THREADS $THREAD_WORKERS",
    );
    assert.equal(stdout, "mainpc 2 32");
  });

  it("starts programs as they are where there is no profile, with their exit code", async () => {
    rmSync(join(folder, "profile.json"), { force: true });
    const { exitCode, stdout } = await start({ A: "1" }, "sh", "-c", 'echo "$A$MACHINE"; exit 7');
    assert.deepEqual([exitCode, stdout], [7, "1"]);
  });

  it("says what it can't read or start", async () => {
    for (const [content, message] of [
      ["{", /is no machine profile/],
      ['{"environment": []}', /expected a map of texts/],
      ['{"environment": {"A": 1}}', /expected a map of texts/],
      ["{}", /is no machine profile/],
    ] as const) {
      writeFileSync(join(folder, "profile.json"), content);
      const { exitCode, stderr } = await start({}, "true");
      assert.equal(exitCode, 1);
      assert.match(stderr, message);
    }
    rmSync(join(folder, "profile.json"));
    assert.equal((await start({}, "no-such-program")).exitCode, 127);
    assert.equal((await start({})).exitCode, 1);
  });
});
