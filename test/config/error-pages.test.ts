import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readErrorPages } from "../../config/error-pages.ts";

describe("readErrorPages", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "keelson-pages-"));
    mkdirSync(join(root, "project/pages"), { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const write = (path: string, text: string | Buffer) => writeFileSync(join(root, "project", path), text);
  const read = (errorPages: string) => {
    const web = { image: "web", hosts: ["vps1"] };
    const { services, findings } = readErrorPages(join(root, "project"), { web: { ...web, errorPages }, plain: web });
    assert.deepEqual(services.plain, web);
    for (const { rule, subject } of findings)
      assert.deepEqual([rule, subject], ["host/error-pages", "keelson:workloads.web.errorPages"]);
    return { pages: services.web?.errorPages, faults: findings.map(({ message }) => message) };
  };

  it("gives a workload the texts in place of the folder", () => {
    write("pages/503.html", "<p>“gone”</p>\r\n");
    write("pages/maintenance.html", "{{message}}");
    write("pages/.keep", "");
    assert.deepEqual(read("pages"), {
      pages: { "503.html": "<p>“gone”</p>\r\n", "maintenance.html": "{{message}}" },
      faults: [],
    });
  });

  it("tells all that is wrong, and leaves that out", () => {
    write("pages/503.html", "x");
    write("pages/502.html", "x".repeat(20_000));
    write("pages/404.html", "x");
    write("pages/500.html", Buffer.from([0xff, 0xfe, 0x41]));
    mkdirSync(join(root, "project/pages/css"));
    writeFileSync(join(root, "secret"), "canary");
    symlinkSync("../../secret", join(root, "project/pages/504.html"));
    const { pages, faults } = read("pages");
    assert.deepEqual(pages, { "503.html": "x" });
    assert.deepEqual(
      faults.map((fault) => fault.slice(0, 40)),
      [
        "pages/404.html is no page of a proxy: th",
        "pages/500.html is no UTF-8 text",
        "pages/502.html has 20000 bytes: HAProxy'",
        "pages/504.html is no file",
        "pages/css is no file",
      ],
    );
  });

  it("takes no folder but one of the project that has a page", () => {
    symlinkSync("..", join(root, "project/out"));
    write("file", "x");
    assert.deepEqual(
      ["none", "file", "../project", "..", "out", "/etc", ".", "pages"].map((folder) => read(folder).faults[0]),
      [
        "none is no folder of the project",
        "file is no folder of the project",
        "../project is outside of the project",
        ".. is outside of the project",
        "out is outside of the project",
        'expected a folder of the project, found "/etc"',
        ". is outside of the project",
        "pages has no page",
      ],
    );
  });
});
