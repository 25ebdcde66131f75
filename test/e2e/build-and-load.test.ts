import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { installMinikube, type Minikube } from "./minikube/double.ts";
import { cloneCheckout } from "./registry.ts";

/** 002's build script in one command, with the real engine, builder and images. Needs root, the toolchain, and the todo images built or a way to. */
describe("keelson build-and-load", () => {
  let folder: string;
  let clone: string;
  let minikube: Minikube;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "keelson-build-and-load-"));
    minikube = installMinikube(folder);
    clone = await cloneCheckout(join(folder, "keelson"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const run = () => {
    const { PULUMI_CONFIG_PASSPHRASE: _, PULUMI_CONFIG_PASSPHRASE_FILE: __, ...rest } = process.env;
    const env = { ...rest, ...minikube.environment };
    const options = { cwd: clone, env, extendEnv: false, input: "", all: true, reject: false } as const;
    return execa("node", ["toolchain/bootstrap.mjs", "build-and-load"], options);
  };
  const NAMES = ["postgres", "todo-backend", "todo-frontend"];

  it("starts Minikube, builds and checks the images, and loads what its node lacks under 002's names", async () => {
    const { all, exitCode } = await run();
    assert.equal(exitCode, 0, all);
    assert.match(all, /^Minikube's profile minikube: started$/m);
    for (const name of NAMES) {
      assert.match(
        all,
        new RegExp(`^${name}:[\\d.]+ loaded into minikube \\(linux/\\w+, sha256:[0-9a-f]{64}\\)$`, "m"),
      );
    }
    assert.deepEqual(
      minikube.images().map((name) => name.replace(/:[\d.]+$/, "")),
      NAMES.map((name) => `docker.io/library/${name}`),
    );
    assert.equal(minikube.asked("image load").length, 3);
    // What comes next is told when all is done, and not by the `up` within.
    assert.match(all, /\nNext: helm upgrade --install evolution-todo \.\/helm\/todo-chatbot$/);
    assert.equal(all.split("Next:").length, 2);
  });

  it("starts and loads nothing the second time", async () => {
    const { all, exitCode } = await run();
    assert.equal(exitCode, 0, all);
    assert.match(all, /^Minikube's profile minikube: runs$/m);
    for (const name of NAMES) assert.match(all, new RegExp(`^${name}:[\\d.]+ is in minikube `, "m"));
    assert.deepEqual([minikube.asked("start").length, minikube.asked("image load").length], [1, 3]);
  });
});
