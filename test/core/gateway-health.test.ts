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
      ].join("\n"),
    );
  });

  it("says so where there are none", () => {
    const said = formatGateway("gateway-core", url, { status: "healthy", gateway: "running", tools: {} });
    assert.match(said, /\n {2}tools: none$/);
  });
});
