import assert from "node:assert/strict";
import { formatGateway } from "../../core/gateway-health.ts";

describe("formatGateway", () => {
  const url = "http://127.0.0.1:5843";
  it("groups tools by how far they are, what is there first and what failed last but for words it doesn't know", () => {
    const tools = { a: "pending", b: "failed", c: "installed", d: "installing", e: "pending", f: "asleep" };
    assert.equal(
      formatGateway("gateway-core", url, { status: "degraded", gateway: "running", tools }),
      [
        "gateway-core is degraded: http://127.0.0.1:5843/health?full=true",
        "  tools: 1 installed (c); 1 installing (d); 2 pending (a, e); 1 failed (b); 1 asleep (f)",
        "    b: it doesn't say why",
        "  to look closer: npm run keelson -- services exec gateway tool-loader doctor",
      ].join("\n"),
    );
  });

  it("says why tools failed and what is wrong beside them, and what to do", () => {
    const said = formatGateway("gateway-core", url, {
      status: "degraded",
      gateway: "running",
      tools: { "ck-search": "failed", patchright: "installed", beads_rust: "installing" },
      toolDetails: {
        "ck-search": { lastError: `github.com: ENOTFOUND ${"x".repeat(500)}` },
        patchright: { lastError: null },
        beads_rust: { lastError: "it is tried again" },
      },
      volume: { state: "read-only", message: "directory /volume: EROFS" },
      notes: ["TOOL_LOADER_VOLUM: there is no such setting"],
    });
    const [, , ...lines] = said.split("\n");
    assert.match(lines[0] ?? "", /^ {4}ck-search: github\.com: ENOTFOUND x+…$/);
    assert.ok((lines[0] ?? "").length < 410);
    assert.deepEqual(lines.slice(1), [
      "    volume is read-only: directory /volume: EROFS",
      "    TOOL_LOADER_VOLUM: there is no such setting",
      "  to look closer: npm run keelson -- services exec gateway tool-loader doctor",
    ]);
  });

  it("says nothing of what is well", () => {
    const said = formatGateway("gateway-core", url, {
      status: "healthy",
      gateway: "running",
      tools: { patchright: "installed" },
      volume: { state: "ok", message: "directory /volume" },
    });
    assert.equal(said.split("\n").length, 2);
  });

  it("says so where there are none", () => {
    const said = formatGateway("gateway-core", url, { status: "healthy", gateway: "running", tools: {} });
    assert.match(said, /\n {2}tools: none$/);
  });
});
