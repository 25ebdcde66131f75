import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { readText, walkTree } from "../../cli/adopt-walk.ts";
import { adopt } from "../../core/adopt.ts";

describe("walkTree", () => {
  let root: string;
  let server: Server | undefined;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "keelson-adopt-"));
  });
  afterEach(async () => {
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
    server = undefined;
    rmSync(root, { recursive: true, force: true });
  });

  const write = (path: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const found = () => {
    const { files, findings } = walkTree(root);
    return {
      files: files.map(({ path }) => path).toSorted(),
      findings: findings.map(({ severity, where, message }) => `${severity} ${where?.file}: ${message}`).toSorted(),
    };
  };

  it("reads the files that tell of images, and no others' folders", () => {
    for (const path of ["Dockerfile", "a/b/web.Dockerfile", "build.sh", "main.py", "node_modules/x/Dockerfile"])
      write(path, "FROM a:1\n");
    write("go/go.mod", "");
    write("go/vendor/x/Dockerfile", "FROM a:1\n");
    write("php/vendor/Dockerfile", "FROM a:1\n");
    assert.deepEqual(found(), {
      files: ["Dockerfile", "a/b/web.Dockerfile", "build.sh", "php/vendor/Dockerfile"],
      findings: [],
    });
  });

  it("tells of every file that is no text", () => {
    write("binary/Dockerfile", new Uint8Array([70, 0, 1]));
    write("latin/Dockerfile", new Uint8Array([35, 0xe9, 10]));
    write("utf16/Dockerfile", new Uint8Array([0xff, 0xfe, 70, 0]));
    write("large/Dockerfile", "#".repeat(600_000));
    write("large/crd.yaml", "#".repeat(600_000));
    assert.deepEqual(found(), {
      files: [],
      findings: [
        "error binary/Dockerfile: it is binary",
        "error large/Dockerfile: it has 600000 bytes; at most 524288 are read",
        "error latin/Dockerfile: it is not UTF-8",
        "error utf16/Dockerfile: it is UTF-16",
        "info large/crd.yaml: it has 600000 bytes; at most 524288 are read",
      ],
    });
  });

  it("follows no link in a circle, out of the tree or to nowhere, and reads linked files once", () => {
    write("main/Dockerfile", "FROM a:1\n");
    write("main/image", "FROM a:1\n");
    mkdirSync(join(root, "links"));
    const link = (target: string, path: string) => symlinkSync(target, join(root, path));
    link("Dockerfile", "links/Dockerfile");
    link("nowhere", "links/Dockerfile.gone");
    link("/etc/passwd", "links/Dockerfile.out");
    link("../main/Dockerfile", "links/Dockerfile.same");
    link("../main/image", "links/Dockerfile.other");
    link("..", "links/up");
    link("..", "links/compose.yaml");
    assert.deepEqual(found(), {
      files: ["links/Dockerfile.other", "main/Dockerfile"],
      findings: [
        "error links/Dockerfile.gone: it cannot be read (ENOENT)",
        "error links/Dockerfile.out: it is a link that leads out of the tree",
        "error links/Dockerfile: it cannot be read (ELOOP)",
      ],
    });
  });

  it("tells of sockets, pipes and folders with a Dockerfile's name", async () => {
    server = createServer();
    await new Promise<void>((resolve) => server?.listen(join(root, "Dockerfile"), resolve));
    execFileSync("mkfifo", [join(root, "Dockerfile.pipe")]);
    write("x/Dockerfile/Dockerfile", "FROM a:1\n");
    write("dockerfile/main.go", "");
    assert.deepEqual(found(), {
      files: ["x/Dockerfile/Dockerfile"],
      findings: [
        "error Dockerfile.pipe: it is no regular file",
        "error Dockerfile: it is no regular file",
        "info x/Dockerfile: a folder has a Dockerfile's name",
      ],
    });
  });

  it("tells of files and folders without rights", () => {
    write("closed/Dockerfile", "FROM a:1\n");
    write("Dockerfile", "FROM a:1\n");
    write("open/Dockerfile", "FROM a:1\n");
    chmodSync(join(root, "closed"), 0);
    chmodSync(join(root, "Dockerfile"), 0);
    chmodSync(root, 0o755);
    const asNobody = process.geteuid?.() === 0;
    try {
      // Root may read everything.
      if (asNobody) process.seteuid?.(65534);
      assert.deepEqual(found(), {
        files: ["open/Dockerfile"],
        findings: [
          "error Dockerfile: it cannot be read (EACCES)",
          "error closed: the folder cannot be listed (EACCES)",
        ],
      });
    } finally {
      if (asNobody) process.seteuid?.(0);
      chmodSync(join(root, "closed"), 0o700);
    }
  });

  it("reads what has a name that is no UTF-8, and shows the name's bytes", () => {
    const script = `
      e="$(printf "d\\351")"
      mkdir -p "$e/sub" && echo FROM a:1 > "$e/sub/Dockerfile" && echo FROM b:1 > "$e/Dockerfile.$e"
      ln -s sub/Dockerfile "$e/Dockerfile.link" && ln -s ../../.. "$e/Dockerfile.out"
      mkdir é && echo FROM c:1 > é/Dockerfile`;
    execFileSync("sh", ["-c", script], { cwd: root });
    assert.deepEqual(found(), {
      files: ["d\\xE9/Dockerfile.d\\xE9", "d\\xE9/sub/Dockerfile", "é/Dockerfile"],
      findings: ["error d\\xE9/Dockerfile.out: it is a link that leads out of the tree"],
    });
  });
});

describe("readText", () => {
  it("gives text or a reason, and adopt never throws on either", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom("Dockerfile", "a.sh", "compose.yml"),
        (bytes, path) => {
          const read = readText(bytes);
          if (!("text" in read)) assert.ok(read.what !== "" && read.fix !== "");
          else assert.ok(adopt({ root: "t", files: [{ path, text: read.text }], unreadable: [] }).dockerfiles <= 1);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("keeps a byte order mark for the parser", () => {
    assert.deepEqual(readText(new Uint8Array([0xef, 0xbb, 0xbf, 0x46])), { text: "\ufeffF" });
  });
});
