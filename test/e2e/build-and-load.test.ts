import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { cloneCheckout } from "./registry.ts";

/**
 * Stands for minikube v1.37.0, which wants a Docker daemon: answers as test/toolchain/minikube.test.ts has them, a node that is what
 * was loaded, and a log of what it was asked. What it loads it reads out of the archive, as `docker load` does.
 */
const MINIKUBE = `#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")/../node"
echo "$*" >>asked
case "$1 \${2:-}" in
  "status "*)
    [ -e started ] || { echo '* Profile "minikube" not found. Run "minikube profile list" to view all profiles.'; exit 85; }
    echo '{"Name":"minikube","Host":"Running","Kubelet":"Running","APIServer":"Running","Kubeconfig":"Configured","Worker":false}' ;;
  "start "*) touch started ;;
  "image ls") touch images; printf '[%s]' "$(paste -sd, images)" ;;
  "image load")
    tar --extract --to-stdout --file "\${@: -1}" manifest.json | node -e '
      const [{ Config, RepoTags }] = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
      const id = /[0-9a-f]{64}/.exec(Config)[0];
      console.log(JSON.stringify({ id: "sha256:" + id, repoDigests: [], repoTags: RepoTags.map((t) => t.includes("/") ? t : "docker.io/library/" + t), size: "1" }));
    ' >>images ;;
  *) echo "unknown: $*" >&2; exit 14 ;;
esac
`;

/** 002's build script in one command, with the real engine, builder and images. Needs root, the toolchain, and the todo images built or a way to. */
describe("keelson build-and-load", () => {
  let folder: string;
  let clone: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "keelson-build-and-load-"));
    for (const name of ["bin", "node"]) mkdirSync(join(folder, name));
    writeFileSync(join(folder, "bin/minikube"), MINIKUBE);
    chmodSync(join(folder, "bin/minikube"), 0o755);
    clone = await cloneCheckout(join(folder, "keelson"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const run = () => {
    const { PULUMI_CONFIG_PASSPHRASE: _, PULUMI_CONFIG_PASSPHRASE_FILE: __, ...rest } = process.env;
    const env = { ...rest, PATH: `${join(folder, "bin")}${delimiter}${process.env.PATH}` };
    const options = { cwd: clone, env, extendEnv: false, input: "", all: true, reject: false } as const;
    return execa("node", ["toolchain/bootstrap.mjs", "build-and-load"], options);
  };
  const asked = (verb: string) =>
    readFileSync(join(folder, "node/asked"), "utf8")
      .split("\n")
      .filter((line) => line.startsWith(verb));
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
      assert.match(
        readFileSync(join(folder, "node/images"), "utf8"),
        new RegExp(`"docker.io/library/${name}:[\\d.]+"`),
      );
    }
    assert.equal(asked("image load").length, 3);
    // What comes next is told when all is done, and not by the `up` within.
    assert.match(all, /\nNext: helm upgrade --install evolution-todo \.\/helm\/todo-chatbot$/);
    assert.equal(all.split("Next:").length, 2);
  });

  it("starts and loads nothing the second time", async () => {
    const { all, exitCode } = await run();
    assert.equal(exitCode, 0, all);
    assert.match(all, /^Minikube's profile minikube: runs$/m);
    for (const name of NAMES) assert.match(all, new RegExp(`^${name}:[\\d.]+ is in minikube `, "m"));
    assert.deepEqual([asked("start").length, asked("image load").length], [1, 3]);
  });
});
