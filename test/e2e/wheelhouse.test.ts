import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { AwsClient } from "aws4fetch";
import { execa } from "execa";
import type { NamedContextInputs } from "../../components/image/keelson.ts";
import type { ArtifactLock } from "../../core/artifact.ts";
import { contextHash, lockHash } from "../../core/hash.ts";
import type { Wheelhouse } from "../../core/wheelhouse.ts";
import { readSource } from "../../toolchain/context.ts";
import { home } from "../../toolchain/home.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureServices, stopServices } from "../../toolchain/services/index.ts";
import { ensureR2, type RunningR2 } from "../../toolchain/services/r2.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { busybox, makeProject, type TestImage, type TestProject } from "./plugin/project.ts";

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

interface Wheel {
  readonly name: string;
  readonly file: string;
  readonly bytes: Buffer;
  readonly hash: string;
}

const MAKE = `
import sys, zipfile
name, text = sys.argv[1:]
with zipfile.ZipFile(sys.stdout.buffer, "w") as wheel:
    wheel.writestr(f"{name}.py", f"TEXT = '{text}'")
    info = f"{name}-1.0.dist-info"
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(f"{info}/RECORD", "")
`;

/** A wheel that no index of the world has. */
async function makeWheel(name: string): Promise<Wheel> {
  const args = ["-c", MAKE, name, randomBytes(16).toString("hex")];
  const { stdout } = await execa("python3", args, { encoding: "buffer" });
  const bytes = Buffer.from(stdout);
  return { name, file: `${name}-1.0-py3-none-any.whl`, bytes, hash: sha256(bytes) };
}

/** Needs root, the toolchain, and python3 with pip. Every index but the test's own is cut off. */
describe("a wheelhouse on the real engine and builder", function () {
  this.timeout(300_000);
  let temporary: TemporaryHome;
  let project: TestProject;
  let r2: RunningR2;
  let index: Server;
  let served: Wheel[] = [];
  let refused = 0;
  before(async () => {
    temporary = await temporaryHome("pulumi", "buildctl", "buildkitd", "buildx", "runc", "docker-registry", "skopeo");
    process.env.PIP_INDEX_URL = "http://127.0.0.1:9/simple/";
    process.env.PIP_RETRIES = "0";
    project = await makeProject();
    const login = `Basic ${Buffer.from("ci:petrel 7731").toString("base64")}`;
    index = createServer((request, response) => {
      const path = request.url ?? "";
      if (request.headers.authorization !== login) {
        refused++;
        return response.writeHead(401, { "www-authenticate": "Basic" }).end();
      }
      const wheel = served.find(({ name, file }) => path === `/simple/${name}/` || path === `/files/${file}`);
      if (wheel === undefined) return response.writeHead(404).end();
      if (path.startsWith("/files/")) return response.end(wheel.bytes);
      response.setHeader("content-type", "text/html");
      return response.end(`<a href="/files/${wheel.file}#sha256=${wheel.hash}">${wheel.file}</a>`);
    });
    await new Promise<void>((listening) => index.listen(0, "127.0.0.1", listening));
    await ensureServices(silent);
    r2 = await ensureR2(["wheels"], silent);
  });
  after(async () => {
    index.close();
    index.closeAllConnections();
    await project.remove();
    await stopServices(silent);
    await temporary.remove();
  });

  const volume = (): Wheelhouse => ({ ...r2, bucket: "wheels", prefix: "python/", region: "auto" });
  const address = () => ({
    index: `http://127.0.0.1:${(index.address() as AddressInfo).port}/simple/`,
    username: "ci",
    password: "petrel 7731",
  });
  const put = async ({ file }: Wheel, body: Buffer) => {
    const client = new AwsClient({ ...r2, service: "s3", region: "auto", retries: 0 });
    const { status } = await client.fetch(`${r2.endpoint}/wheels/python/${file}`, { method: "PUT", body });
    assert.equal(status, 200);
  };

  /** An image with a lock of its own, and sources with a requirements.lock, as the catalogue has both; its smoke test says what it got. */
  async function imageOf(name: string, locked: Wheel, asked: Wheel, wheelhouse: Wheelhouse): Promise<TestImage> {
    const source = join(project.root, `${name}-source`);
    mkdirSync(source);
    writeFileSync(
      join(source, "requirements.lock"),
      `# of this test\n${asked.name}==1.0 --hash=sha256:${asked.hash}\n`,
    );
    const lock: ArtifactLock = {
      artifacts: [
        {
          file: `wheels/${locked.file}`,
          source: `pypi:${locked.file}@${locked.name}==1.0`,
          integrity: `sha256-${locked.hash}`,
          size: locked.bytes.length,
        },
      ],
    };
    writeFileSync(join(project.root, `${name}.lock.json`), JSON.stringify(lock, undefined, 2));
    const contexts: Record<string, NamedContextInputs> = {
      packages: { kind: "lock", file: `${name}.lock.json`, hash: lockHash(lock) },
      source: { kind: "source", path: source, hash: contextHash(await readSource(source)) },
    };
    const mounts = "--mount=type=bind,from=wheelhouse,target=/wheelhouse --mount=type=secret,id=wheelhouse";
    return {
      name,
      files: {
        Dockerfile: [
          "ARG BASE_IMAGE",
          "FROM scratch AS wheelhouse",
          "FROM ${BASE_IMAGE}",
          "COPY --from=packages /wheels/ /locked/",
          `RUN ${mounts} mkdir /asked && if [ -d /wheelhouse/wheels ]; then cp /wheelhouse/wheels/* /asked; fi \\`,
          "    && if [ -f /run/secrets/wheelhouse ]; then sha256sum </run/secrets/wheelhouse >/asked/address; fi",
          "",
        ].join("\n"),
        ".dockerignore": "smoke.sh\n",
        "smoke.sh":
          '#!/bin/sh\nset -e\nfound="$(cd /locked && sha256sum *; cd /asked && sha256sum *)"\necho "$found"\n',
      },
      more: {
        smoke: "smoke.sh",
        builds: [{ platform: "linux/amd64", node: "local", mode: "native" }],
        wheelhouse: pulumi.secret(wheelhouse),
        contexts,
      },
    };
  }
  const up = async (image: TestImage, found: string) => {
    const files = { ...image.files, "smoke.sh": `${image.files["smoke.sh"]}[ "$found" = "${found}" ]\n` };
    project.images = [busybox, { ...image, files }];
    return project.up();
  };

  it("of a volume brings a lock's wheels and those of sources, and needs no index", async () => {
    const [locked, asked] = [await makeWheel("locked"), await makeWheel("asked")];
    await put(locked, locked.bytes);
    await put(asked, asked.bytes);
    const found = `${locked.hash}  ${locked.file}\n${asked.hash}  ${asked.file}`;
    const done = await up(await imageOf("from-volume", locked, asked, volume()), found);
    assert.ok(done.ok, done.text);
  });

  it("of a volume with other bytes is refused with line, found and allowed; with none, the wheel is named", async () => {
    const [locked, asked, other] = [await makeWheel("second"), await makeWheel("third"), randomBytes(2000)];
    await put(locked, locked.bytes);
    await put(asked, other);
    const wrong = await up(await imageOf("changed", locked, asked, volume()), "");
    assert.ok(!wrong.ok);
    const line = `requirements.lock:2: third 1.0: found ${asked.file} with sha256:${sha256(other)}, allowed sha256:${asked.hash}`;
    assert.ok(wrong.text.replaceAll(/\s+/g, " ").includes(line), wrong.text);
    const lost = await up(await imageOf("lost", await makeWheel("fourth"), asked, volume()), "");
    assert.ok(!lost.ok);
    assert.match(
      lost.text.replaceAll(/\s+/g, " "),
      /lost\.lock\.json:6: wheels\/fourth-1\.0-py3-none-any\.whl can't be had as locked/,
    );
    assert.match(lost.text.replaceAll(/\s+/g, " "), /wheelhouse s3:\/\/wheels\/python: not there \(404\)/);
  });

  it("that is an index with a login: pip asks it and no other, steps get it as a secret, and nothing keeps it", async () => {
    const [locked, asked] = [await makeWheel("fifth"), await makeWheel("sixth")];
    served = [locked];
    const { index: at } = address();
    const secret = at.replace("http://", "http://ci:petrel%207731@");
    const found = `${locked.hash}  ${locked.file}\n${sha256(Buffer.from(`${sha256(Buffer.from(secret))}  -\n`))}  address`;
    const done = await up(await imageOf("from-index", locked, asked, address()), found);
    assert.ok(done.ok, done.text);
    assert.doesNotMatch(done.text, /petrel/);
    assert.ok(refused <= 1, "the login is sent");
    const places = [home().root, join(project.root, "state"), join(project.root, ".keelson")];
    const search = ["--recursive", "--files-with-matches", "--binary-files=text", "petrel", ...places];
    const { stdout } = await execa("grep", search, { reject: false });
    assert.equal(stdout, "", "in no layer, config, log, cache and state");

    const wrong = await up(
      await imageOf("refused", await makeWheel("seventh"), asked, { ...address(), password: "petrel two" }),
      "",
    );
    assert.ok(!wrong.ok);
    assert.match(wrong.text, /seventh-1\.0-py3-none-any\.whl can't be had as locked/);
    assert.doesNotMatch(wrong.text, /petrel/);
  });
});
