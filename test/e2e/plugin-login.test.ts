import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RegistryClient } from "../../oci/client.ts";
import { ImageType } from "../../plugins/keelson/image/image.ts";
import { machine } from "../../plugins/keelson/machine.ts";
import type { Values } from "../../plugins/keelson/resource.ts";
import { silent } from "../../toolchain/progress.ts";
import { stopServices } from "../../toolchain/services/index.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { CANARY, startRegistry, type TestRegistry } from "./registry.ts";

const { password: PASSWORD } = CANARY;

/** Needs root and the toolchain. A registry of its own that wants a login; on loopback BuildKit speaks http to it. */
describe("an image in a registry with a login", function () {
  this.timeout(300_000);
  let temporary: TemporaryHome;
  let registry: TestRegistry;
  let host: string;
  let root: string;

  before(async () => {
    temporary = await temporaryHome("buildctl", "buildkitd", "buildx", "runc", "docker-registry");
    root = join(temporary.folder, "project");
    mkdirSync(join(root, "images/web"), { recursive: true });
    writeFileSync(join(root, "images/web/Dockerfile"), "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY hello /\n");
    writeFileSync(join(root, "images/web/hello"), "hello\n");
    registry = await startRegistry(join(temporary.folder, "registry"), CANARY);
    host = registry.host;
  });
  after(async () => {
    registry.stop();
    await stopServices(silent);
    await temporary.remove();
  });

  const open = (password: string) =>
    new RegistryClient({ host, plainHttp: true, credentials: { username: "ada", password } });
  /** The machine's own toolbox, but for http: the plugin speaks nothing but https. */
  function type(password: string): ImageType {
    const toolbox = machine(root);
    const opened = async () => ({ client: open(password), host });
    return new ImageType({ ...toolbox, lookAtRegistry: opened, useRegistry: opened });
  }

  const inputs = (password: string): Values => ({
    imageName: "web",
    repository: "team/web",
    registry: { host, username: "ada", password },
    contentHash: "1".repeat(64),
    folder: "images/web",
    args: {},
    base: { kind: "image", ref: "scratch" },
    contexts: {},
    builds: [{ platform: "linux/amd64", node: "local", mode: "native" }],
    builder: "embedded",
    cache: "registry",
    tags: ["one"],
    annotations: {},
    budget: {},
    user: "",
    gates: { severity: { user: "off", init: "off", labels: "off", health: "off" } },
  });
  const lines: string[] = [];
  const call = () => ({
    urn: "urn",
    root,
    signal: new AbortController().signal,
    log: (_: string, line: string) => lines.push(line),
    status: (line: string) => lines.push(line),
  });

  it("is pushed with the stack's login, which no argument, environment, message or result shows", async () => {
    const seen = new Set<string>();
    const watch = setInterval(() => {
      for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid)))
        for (const file of ["cmdline", "environ"])
          try {
            const text = readFileSync(`/proc/${pid}/${file}`, "utf8");
            if (text.includes(PASSWORD)) seen.add(text);
          } catch {
            // It has ended, or is not ours.
          }
    }, 20);
    try {
      const { state } = await type(PASSWORD).apply(inputs(PASSWORD), undefined, call());
      assert.equal((await open(PASSWORD).headManifest("team/web", "one"))?.digest, state.digest);
      assert.doesNotMatch(JSON.stringify([state, lines]), new RegExp(PASSWORD));
    } finally {
      clearInterval(watch);
    }
    assert.deepEqual([...seen], []);
  });

  it("says so when the login is refused, without the password", async () => {
    await assert.rejects(type("canary-wrong").apply(inputs("canary-wrong"), undefined, call()), (error: Error) => {
      assert.match(`${error.message} ${(error as { fix?: string }).fix}`, /401|log in/);
      assert.doesNotMatch(error.message, /canary/);
      return true;
    });
  });
});
