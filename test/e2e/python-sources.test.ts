import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { execa } from "execa";
import { pack } from "tar-stream";
import { UserError } from "../../core/error.ts";
import { lockImagePython } from "../../toolchain/python/image.ts";
import { lockPython, type PythonRequest } from "../../toolchain/python/lock.ts";
import { wheelhouseSources } from "../../toolchain/store/wheelhouse.ts";
import { fetchArtifact, openStore, storePath } from "../../toolchain/store.ts";

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

interface Served {
  readonly name: string;
  readonly file: string;
  readonly bytes: Buffer;
  /** What the index says of it. */
  readonly hash: string;
}

/** Python that leaves a mark on the machine where it runs. */
const MARK = (file: string) => `import pathlib\npathlib.Path(${JSON.stringify(file)}).write_text("run")\n`;

/** A source distribution whose build system, setup.py and modules leave a mark when anything of it is run. */
async function sdist(name: string, version: string, mark: string, files: Record<string, string>): Promise<Served> {
  const archive = pack();
  const folder = `${name}-${version}`;
  const backend = `${MARK(mark)}raise SystemExit("hostile")\n`;
  const all = {
    "setup.py": backend,
    "backend.py": backend,
    "sitecustomize.py": backend,
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    ...files,
    "PKG-INFO": `${files["PKG-INFO"]?.replace("Metadata-Version", `Name: ${name}\nVersion: ${version}\nMetadata-Version`)}`,
  };
  for (const [file, text] of Object.entries(all)) archive.entry({ name: `${folder}/${file}` }, text);
  archive.finalize();
  const bytes = gzipSync(await buffer(archive));
  return { name, file: `${folder}.tar.gz`, bytes, hash: sha256(bytes) };
}

const WHEEL = `
import io, sys, zipfile
name, version = sys.argv[1:]
bytes = io.BytesIO() # a stream's sizes come behind the files, which uv does not read
with zipfile.ZipFile(bytes, "w") as wheel:
    info = f"{name}-{version}.dist-info"
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(f"{info}/RECORD", "")
sys.stdout.buffer.write(bytes.getvalue())
`;

async function wheel(name: string, version: string): Promise<Served> {
  const { stdout } = await execa("python3", ["-c", WHEEL, name, version], { encoding: "buffer" });
  const bytes = Buffer.from(stdout);
  return { name, file: `${name}-${version}-py3-none-any.whl`, bytes, hash: sha256(bytes) };
}

/** Needs python3 with pip; every index but the test's own is cut off. */
describe("locking packages that are released as source alone", function () {
  this.timeout(300_000);
  let folder: string;
  let mark: string;
  let index: Server;
  let served: Served[] = [];
  let environment: NodeJS.ProcessEnv;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-sources-"));
    mark = join(folder, "mark");
    index = createServer((request, response) => {
      const path = request.url ?? "";
      const file = served.find((one) => path === `/files/${one.file}`);
      if (file !== undefined) return response.end(file.bytes);
      const files = served.filter(({ name }) => path === `/simple/${name}/`);
      if (files.length === 0) return response.writeHead(404).end();
      response.setHeader("content-type", "text/html");
      return response.end(
        files.map((one) => `<a href="../../files/${one.file}#sha256=${one.hash}">${one.file}</a>`).join("\n"),
      );
    });
    await new Promise<void>((listening) => index.listen(0, "127.0.0.1", listening));
    environment = { ...process.env };
    process.env.PIP_INDEX_URL = address();
    process.env.PIP_RETRIES = "0";
    served = [
      await wheel("plain", "1.0"),
      await wheel("plain", "2.0"),
      await wheel("pip", "26.0"),
      await wheel("backend_of_it", "3.0").then((one) => ({ ...one, name: "backend-of-it" })),
      await sdist("hostile", "1.0", mark, {
        "PKG-INFO": 'Metadata-Version: 2.2\nRequires-Dist: plain<2\nRequires-Dist: none-such; extra == "x"\n',
      }),
      await sdist("hostile", "1.1", mark, {
        "PKG-INFO": "Metadata-Version: 2.1\nRequires-Dist: none-such\n",
        "pyproject.toml": [
          '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]',
          '[project]\nname = "hostile"\nversion = "1.1"\ndependencies = ["plain>=1"]',
        ].join("\n"),
      }),
      await sdist("hostile", "2.0", mark, { "PKG-INFO": "Metadata-Version: 2.1\nRequires-Dist: plain\n" }),
    ];
  });
  beforeEach(() => rm(mark, { force: true }));
  after(async () => {
    process.env = environment;
    index.close();
    index.closeAllConnections();
    await rm(folder, { recursive: true });
  });

  const address = () => `http://127.0.0.1:${(index.address() as AddressInfo).port}/simple/`;
  const store = () => openStore(join(folder, "store"));
  const request = (requirements: string, more: Partial<PythonRequest> = {}): PythonRequest => ({
    requirements,
    file: "requirements.txt",
    python: "3.11",
    platforms: ["linux/amd64", "linux/arm64"],
    sources: ["Hostile"],
    installed: {},
    store: store(),
    ...more,
  });
  const refusal = async (work: Promise<unknown>): Promise<string> => {
    const error = await work.then(
      () => assert.fail("it is refused"),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof UserError, `${error}`);
    assert.ok(!existsSync(mark), "nothing of it was run");
    return error.message;
  };

  it("would be run by pip, which only has to download them", async () => {
    const args = ["-m", "pip", "download", "hostile==1.0", "--no-deps", "--quiet", "--dest", join(folder, "pip")];
    const { exitCode } = await execa("python3", args, { reject: false });
    assert.notEqual(exitCode, 0);
    assert.ok(existsSync(mark), "what is held against it below would have run");
  });

  it("reads what they need and runs nothing: source and wheels by hash, each platform's pins apart", async () => {
    const { artifacts, pins, sourcePins } = await lockPython(request("hostile==1.0\n"));
    assert.ok(!existsSync(mark), "nothing of it was run");
    const [plain, , , , hostile] = served;
    assert.deepEqual(
      artifacts.map((a) => [a.file, a.source, a.integrity, a.platform]),
      [
        ["wheels/plain-1.0-py3-none-any.whl", "pypi:plain-1.0-py3-none-any.whl@plain==1.0", plain?.hash, undefined],
        ["sources/hostile-1.0.tar.gz", "pypi:hostile-1.0.tar.gz@hostile==1.0", hostile?.hash, undefined],
      ].map(([file, source, hash, platform]) => [file, source, `sha256-${hash}`, platform]),
    );
    assert.deepEqual(
      pins,
      Object.fromEntries(["amd64", "arm64"].map((a) => [a, `plain==1.0 --hash=sha256:${plain?.hash}\n`])),
    );
    assert.equal(sourcePins.arm64, `hostile==1.0 --hash=sha256:${hostile?.hash}\n`);
    for (const artifact of artifacts)
      assert.equal((await readFile(storePath(artifact, store()))).length, artifact.size);
  });

  it("reads pyproject.toml where PKG-INFO is of before Metadata 2.2", async () => {
    const { artifacts } = await lockPython(request("hostile==1.1\n"));
    assert.ok(!existsSync(mark), "nothing of it was run");
    assert.deepEqual(
      artifacts.map(({ name, version }) => `${name} ${version}`),
      ["plain 2.0", "hostile 1.1"],
    );
  });

  it("refuses what its own build alone would tell, what is not pinned or declared, and what is not there", async () => {
    assert.match(
      await refusal(lockPython(request("hostile==2.0\n"))),
      /^hostile-2\.0\.tar\.gz: what it needs is known to its own build alone \(its PKG-INFO is of Metadata 2\.1; its pyproject\.toml has no \[project\]\), which keelson does not run$/,
    );
    assert.match(await refusal(lockPython(request("hostile>=1.0\n"))), /expected hostile==VERSION/);
    assert.match(
      await refusal(lockPython(request("hostile==1.0\n", { sources: [] }))),
      /can't be resolved for linux\/amd64: .*hostile==1\.0 has no usable wheels/s,
    );
    assert.match(
      await refusal(lockPython(request("hostile==9.0\n"))),
      /no source distribution of hostile 9\.0: no file hostile-9\.0\.tar\.gz/,
    );
    assert.match(
      await refusal(lockPython(request("none-such==1.0\n", { sources: ["none-such"] }))),
      /^requirements\.txt: the index's list of none-such: not there \(404\)$/,
    );
  });

  it("refuses other bytes than the index says, and what is no archive", async () => {
    const [before] = [served];
    const change = (bytes: Buffer, hash?: string) =>
      before.map((one) => (one.file === "hostile-1.0.tar.gz" ? { ...one, bytes, hash: hash ?? one.hash } : one));
    try {
      const other = await sdist("hostile", "1.0", mark, { "PKG-INFO": "Metadata-Version: 2.2\n" });
      served = change(other.bytes);
      assert.match(
        await refusal(lockPython(request("hostile==1.0\n"))),
        new RegExp(`expected .*, found .*${other.hash}`),
      );
      const text = Buffer.from("no archive");
      served = change(text, sha256(text));
      assert.match(
        await refusal(lockPython(request("hostile==1.0\n"))),
        /^hostile-1\.0\.tar\.gz: expected a \.tar\.gz/,
      );
    } finally {
      served = before;
    }
  });

  it("locks what they are built with beside pip, which the image does not keep", async () => {
    const lock = await lockImagePython({
      ...request("hostile==1.0\n", { platforms: ["linux/amd64"] }),
      build: { requirements: "backend-of-it\n", file: "build.txt" },
      below: [
        {
          artifacts: [
            { file: "sources/plain-1.0.tar.gz", source: "", integrity: "", size: 0, name: "plain", version: "1.0" },
          ],
        },
      ],
    });
    assert.deepEqual(
      lock.artifacts.map(({ file }) => file),
      ["sources/hostile-1.0.tar.gz", "build/pip-26.0-py3-none-any.whl", "build/backend_of_it-3.0-py3-none-any.whl"],
    );
    assert.match(lock.buildPins.amd64 ?? "", /^backend-of-it==3\.0 --hash=sha256:[0-9a-f]{64}\n$/);
  });

  it("fetches a locked source by hash from pip's index, or from a wheelhouse's, and runs nothing", async () => {
    const { artifacts } = await lockPython(request("hostile==1.0\n"));
    const source = artifacts.find(({ file }) => file.startsWith("sources/")) ?? assert.fail("it is locked");
    const fresh = openStore(join(folder, "fresh"));
    assert.equal(sha256(await readFile(await fetchArtifact(source, fresh))), served[4]?.hash);
    const wheelhouse = { index: address() };
    process.env.PIP_INDEX_URL = "http://127.0.0.1:9/simple/";
    try {
      const other = openStore(
        join(folder, "other"),
        wheelhouseSources(wheelhouse, () => assert.fail("not asked")),
      );
      assert.equal(sha256(await readFile(await fetchArtifact(source, other))), served[4]?.hash);
      const lost = openStore(join(folder, "lost"));
      await assert.rejects(fetchArtifact(source, lost), UserError);
    } finally {
      process.env.PIP_INDEX_URL = address();
    }
    assert.ok(!existsSync(mark), "nothing of it was run");
    assert.deepEqual((await readdir(join(folder, "fresh", "tmp")).catch(() => [])).length, 0);
  });
});
