import assert from "node:assert/strict";
import { execa } from "execa";
import { readBasesLock } from "../../config/catalogue.ts";
import { openRegistry } from "../../oci/open.ts";
import { ensureBase } from "../../toolchain/bases.ts";
import { projectRoot } from "../../toolchain/home.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureServices } from "../../toolchain/services/index.ts";
import { startDockerd, type TestDocker } from "./dockerd.ts";

const NATIVE = process.arch === "arm64" ? "arm64" : "amd64";
const FOREIGN = process.arch === "arm64" ? "amd64" : "arm64";

/** Needs root, the toolchain and a way to the package mirrors. */
describe("keelson load", () => {
  const root = projectRoot();
  let engine: TestDocker;
  let image: string;
  before(async () => {
    const { registry } = await ensureServices(silent);
    const base = readBasesLock(root).bases.find(({ name }) => name === "debian:bookworm-slim");
    assert.ok(base);
    const client = await openRegistry(registry.host, { caFile: registry.ca, env: process.env });
    const { repository, digest } = await ensureBase(base, client);
    client.close();
    image = `${registry.host}/${repository}@${digest}`;
    engine = await startDockerd();
  });
  after(() => engine?.stop());

  const load = (args: string[], env: Record<string, string> = { DOCKER_HOST: engine.host }) =>
    execa("node", ["cli/main.ts", "load", ...args], { cwd: root, env, all: true, reject: false });

  it("puts the engine's own platform into it, ready to run", async () => {
    const { exitCode, all } = await load([image, "--tag", "loaded:one"]);
    assert.equal(exitCode, 0, all);
    assert.match(all, new RegExp(`^loaded:one linux/${NATIVE} sha256:[0-9a-f]{64}\\n {2}\\d.* MB compressed; unix:`));
    const said = await engine.docker("run", "--rm", "--network=none", "loaded:one", "dpkg", "--print-architecture");
    assert.equal(said, NATIVE);
  });

  it("puts another platform into it where one is named, and the same one again", async () => {
    for (const _ of ["first", "again"]) {
      const { exitCode, all } = await load([image, "--tag", "loaded:two", "--platform", `linux/${FOREIGN}`]);
      assert.equal(exitCode, 0, all);
    }
    assert.equal(await engine.docker("image", "inspect", "--format={{.Architecture}}", "loaded:two"), FOREIGN);
  });

  it("says what is wrong, and loads nothing", async () => {
    const ids = async () => (await engine.docker("images", "--quiet", "--no-trunc")).split("\n").toSorted();
    const before = await ids();
    for (const [args, env, message] of [
      [[image, "--platform", "linux/s390x"], undefined, /is not there for linux\/s390x\n.*linux\/amd64, linux\/arm64/],
      [[image, "--tag", "Wrong Name"], undefined, /--tag "Wrong Name": expected an image such as/],
      [[`${image.slice(0, image.indexOf("@"))}:none`], undefined, /is not in localhost:\d+ as/],
      [
        [image],
        { DOCKER_HOST: "unix:///nowhere.sock" },
        /no container engine answers:\n.*nowhere\.sock: no such socket/,
      ],
    ] as const) {
      const { exitCode, all } = await load([...args], env);
      assert.equal(exitCode, 1, all);
      assert.match(all, message);
    }
    assert.deepEqual(await ids(), before);
  });
});
