import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { execa } from "execa";
import type { Plan } from "../../core/plan.ts";
import { hashTag } from "../../core/tags.ts";
import { digestOf } from "../../oci/digest.ts";
import { MEDIA } from "../../oci/schemas.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { tarOf } from "../oci/tars.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { CANARY, cloneCheckout, startTlsRegistry, type TlsRegistry } from "./registry.ts";

const { password: PASSWORD } = CANARY;
const WRONG = "canary-wrong";
const IMAGE = "worker-ultramin";

/** Needs the toolchain. A registry with TLS that wants a login, and a checkout whose stacks have it as a secret. */
describe("commands on a stack whose registry has a login", function () {
  this.timeout(300_000);
  let temporary: TemporaryHome;
  let registry: TlsRegistry;
  let host: string;
  let clone: string;
  let pulumi: string;
  let tag: string;

  before(async () => {
    temporary = await temporaryHome("pulumi", "docker-registry");
    pulumi = (await ensureTool("pulumi")).path;
    registry = await startTlsRegistry(join(temporary.folder, "registry"), CANARY);
    host = registry.host;
    clone = await cloneCheckout(join(temporary.folder, "clone of ü"));
    for (const stack of ["one", "two", "locked"]) await makeStack(stack, stack === "locked" ? WRONG : PASSWORD);
    tag = await plannedTag("one", IMAGE);
    await push(`one/${IMAGE}`, tag);
  });
  after(async () => {
    registry.stop();
    await temporary.remove();
  });

  /** As a user would: the password comes on stdin, and stands encrypted in the stack's file. */
  async function makeStack(stack: string, password: string, built = `keelson:images: [${IMAGE}]`): Promise<void> {
    writeFileSync(
      join(clone, `Pulumi.${stack}.yaml`),
      `config:\n  keelson:registry: { host: "${host}", prefix: ${stack} }\n  ${built}\n`,
    );
    const env = { ...environment("right"), PULUMI_BACKEND_URL: `file://${encodeURI(temporary.folder)}` };
    const run = (args: string[], input = "") => execa(pulumi, [...args, "-s", stack], { cwd: clone, env, input });
    await run(["stack", "init", "--no-select"]);
    await run(["config", "set", "--path", "keelson:registry.username", "ada"]);
    await run(["config", "set", "--path", "--secret", "keelson:registry.password"], password);
    const text = readFileSync(join(clone, `Pulumi.${stack}.yaml`), "utf8");
    assert.match(text, /secure: '?v1:/);
    assert.ok(!text.includes("canary"));
  }

  /** Under which a stack looks for an image. */
  async function plannedTag(stack: string, image: string): Promise<string> {
    const { stdout } = await keelson(["plan", "-s", stack, "--json"]);
    return hashTag((JSON.parse(stdout) as Plan).images.find(({ name }) => name === image)?.contentHash ?? "");
  }

  const environment = (passphrase: string): Record<string, string> => ({
    PULUMI_CONFIG_PASSPHRASE: passphrase,
    NODE_EXTRA_CA_CERTS: registry.ca,
    DOCKER_CONFIG: join(temporary.folder, "no docker config"),
    PULUMI_HOME: join(temporary.folder, "pulumi"),
  });

  async function push(repository: string, name: string): Promise<string> {
    const { client } = registry;
    const tar = await tarOf(["etc/os-release", "ID=debian\n"]);
    const layer = await client.pushBytes(repository, gzipSync(tar), "application/vnd.oci.image.layer.v1.tar+gzip");
    const config = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [digestOf(tar)] } };
    const pushed = await client.pushBytes(repository, Buffer.from(JSON.stringify(config)), MEDIA.config);
    const image = { schemaVersion: 2 as const, mediaType: MEDIA.manifest, config: pushed, layers: [layer] };
    const manifest = await client.putManifest(repository, undefined, image);
    const platform = { os: "linux", architecture: "amd64" };
    const index = { schemaVersion: 2 as const, mediaType: MEDIA.index, manifests: [{ ...manifest, platform }] };
    return (await client.putManifest(repository, name, index)).digest;
  }

  interface Ended {
    readonly exitCode: number | undefined;
    readonly stdout: string;
    readonly stderr: string;
  }

  /** Runs a command, and sees to it that no process has the password in its arguments or environment, nor the output. */
  async function keelson(args: string[], passphrase = "right"): Promise<Ended> {
    const seen: string[] = [];
    const watch = setInterval(() => {
      for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid)))
        for (const file of ["cmdline", "environ"])
          try {
            const text = readFileSync(`/proc/${pid}/${file}`, "utf8");
            if (text.includes(PASSWORD) || text.includes(WRONG)) seen.push(`${pid} ${file}: ${text.slice(0, 200)}`);
          } catch {
            // It has ended, or is not ours.
          }
    }, 20);
    try {
      const { exitCode, stdout, stderr } = await execa(process.execPath, ["cli/main.ts", ...args], {
        cwd: clone,
        env: environment(passphrase),
        reject: false,
        input: "",
      });
      assert.doesNotMatch(stdout + stderr, /canary/);
      return { exitCode, stdout, stderr };
    } finally {
      clearInterval(watch);
      assert.deepEqual(seen, []);
    }
  }

  it("gates reads with the stack's login, by name and by whole reference", async () => {
    for (const name of [IMAGE, `${host}/one/${IMAGE}:${tag}`]) {
      const { stdout, stderr } = await keelson(["gates", name, "-s", "one", "--json"]);
      assert.ok(stderr === "" || !/error/.test(stderr), stderr);
      const findings = JSON.parse(stdout) as { rule: string }[];
      assert.ok(
        findings.some(({ rule }) => rule === "user/root"),
        stdout,
      );
    }
  });

  it("report reads with it", async () => {
    const { exitCode, stdout, stderr } = await keelson(["report", IMAGE, "-s", "one", "--json"]);
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /linux\/amd64/);
  });

  it("promote reads with one stack's and writes with the other's, and says that nobody tested the image", async () => {
    const { exitCode, stdout, stderr } = await keelson(["promote", IMAGE, "--from", "one", "--to", "two", "--yes"]);
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /no verdict says that it passed/);
    assert.match(stdout, /promoted sha256:/);
    const there = await registry.client.headManifest(`two/${IMAGE}`, tag);
    assert.equal(there?.digest, (await registry.client.headManifest(`one/${IMAGE}`, tag))?.digest);
    assert.match(stdout, /read back:\n[\s\S]*linux\/amd64 +sha256:[0-9a-f]{12}… /);
  });

  it("promote of an older line's release moves that line's tags, and leaves those of a higher release", async () => {
    await execa("git", ["tag", "v1.2.3"], { cwd: clone });
    try {
      const other = { schemaVersion: 2 as const, mediaType: MEDIA.index, manifests: [] };
      for (const name of ["2.0.0", "latest"]) await registry.client.putManifest(`two/${IMAGE}`, name, other);
      const { exitCode, stdout, stderr } = await keelson(["promote", IMAGE, "--from", "one", "--to", "two", "--yes"]);
      assert.equal(exitCode, 0, stderr);
      assert.match(stdout, /^latest stays where it is: 2\.0\.0 is higher$/m);
      const at = async (name: string) => (await registry.client.headManifest(`two/${IMAGE}`, name))?.digest;
      assert.equal(await at("latest"), await at("2.0.0"));
      assert.notEqual(await at("latest"), await at(tag));
      for (const moved of ["1.2.3", "1.2", "1"]) assert.equal(await at(moved), await at(tag), moved);
    } finally {
      await execa("git", ["tag", "-d", "v1.2.3"], { cwd: clone });
    }
  });

  it("promote of sources elsewhere puts their own release's tags, and none of what is no clean checkout of one", async () => {
    const clawft = join(temporary.folder, "clawft");
    cpSync(join(clone, "images/weft/gateway"), clawft, { recursive: true });
    const identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
    const git = (...args: string[]) => execa("git", [...identity, ...args], { cwd: clawft });
    await git("init", "--quiet");
    await git("add", ".");
    await git("commit", "--quiet", "-m", "all");
    await makeStack("clawft", PASSWORD, `keelson:images: [weft]\n  keelson:sources: { weft: { path: ${clawft} } }`);
    const digest = await push("clawft/weft", await plannedTag("clawft", "weft"));
    const promoted = async () => {
      const { exitCode, stdout, stderr } = await keelson([
        "promote",
        "weft",
        "--from",
        "clawft",
        "--to",
        "clawft",
        "-y",
      ]);
      assert.equal(exitCode, 0, stderr);
      const tags = (await registry.client.listTags("clawft/weft")).filter(
        (name) => !/^(?:h-|weft-|1\.0\.0-)/.test(name),
      );
      for (const name of tags)
        assert.equal((await registry.client.headManifest("clawft/weft", name))?.digest, digest, name);
      return { tags: tags.toSorted(), stdout };
    };
    assert.deepEqual((await promoted()).tags, []);
    await git("tag", "v1.0.0");
    const { tags, stdout } = await promoted();
    assert.deepEqual(tags, ["1", "1.0", "1.0.0", "latest"]);
    assert.match(stdout, /clawft\/weft:1\.0\.0, pulled and hashed:\n/);
  });

  it("prune lists and deletes with it", async () => {
    const hash = hashTag("0ab1".repeat(16));
    const old = await push(`one/${IMAGE}`, hash);
    const stale = await registry.client.putManifest(`one/${IMAGE}`, hash, {
      schemaVersion: 2,
      mediaType: MEDIA.index,
      manifests: [],
    });
    assert.notEqual(old, stale.digest);
    const { exitCode, stderr } = await keelson(["prune", "-s", "one", "--yes"]);
    assert.equal(exitCode, 0, stderr);
    assert.equal(await registry.client.headManifest(`one/${IMAGE}`, stale.digest), undefined);
    assert.ok(await registry.client.headManifest(`one/${IMAGE}`, tag));
  });

  it("a wrong password is one clear message", async () => {
    for (const command of [
      ["gates", IMAGE, "-s", "locked"],
      ["report", IMAGE, "-s", "locked"],
      ["promote", IMAGE, "--from", "one", "--to", "locked", "--yes"],
      ["prune", "-s", "locked", "--yes"],
    ]) {
      const { exitCode, stderr } = await keelson(command);
      assert.equal(exitCode, 1, command.join(" "));
      const errors = stderr.split("\n").filter((line) => line.startsWith("error:"));
      assert.equal(errors.length, 1, stderr);
      assert.match(errors[0] ?? "", new RegExp(`at ${host}: HTTP 401 for the login of ada`));
      assert.match(stderr, /log in: write credentials for/);
      assert.doesNotMatch(stderr, /\n\s+at /, "no stack trace");
    }
  });

  it("a missing or a wrong passphrase is another", async () => {
    const none = await keelson(["gates", IMAGE, "-s", "one"], "");
    assert.equal(none.exitCode, 1);
    assert.match(none.stderr, /^error: stack one has no passphrase of its own/m);
    const wrong = await keelson(["gates", IMAGE, "-s", "one"], "not this");
    assert.equal(wrong.exitCode, 1);
    assert.match(wrong.stderr, /^error: the passphrase that is set is not the one that keelson:registry\.password/m);
    assert.doesNotMatch(none.stderr + wrong.stderr, /\n\s+at /, "no stack trace");
  });

  it("leaves the password in no file", async () => {
    const { exitCode, stdout } = await execa(
      "grep",
      ["-rlIE", "canary-(hunter2|wrong)", clone, temporary.folder, "--exclude-dir=.git"],
      {
        reject: false,
      },
    );
    const files = stdout
      .split("\n")
      .filter((file) => file !== "" && !file.endsWith("/test/e2e/commands-login.test.ts"));
    assert.ok(exitCode === 0 || exitCode === 1, "grep has run");
    assert.deepEqual(
      files.filter((file) => !file.startsWith(join(clone, "test/"))),
      [],
    );
  });
});
