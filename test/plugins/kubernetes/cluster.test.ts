import assert from "node:assert/strict";
import { Cluster } from "../../../plugins/kubernetes/cluster.ts";
import { readSettings } from "../../../plugins/kubernetes/settings.ts";
import { startDouble } from "./double.ts";

describe("what a cluster has of a kind", () => {
  it("is read to its end, page by page: the event that tells why may be on the last one", async () => {
    const double = await startDouble();
    try {
      const pages = [
        { items: [{ reason: "One" }], metadata: { continue: "more" } },
        { items: [{ reason: "Two" }], metadata: {} },
      ];
      double.answer("GET /api/v1/namespaces/shop/events", () => ({ status: 200, body: pages.shift() }));
      const cluster = new Cluster(readSettings({ kubeconfig: double.kubeconfig }, {}), new AbortController().signal);
      const found = await cluster.list({ apiVersion: "v1", kind: "Event" }, "shop", { limit: "1" });
      assert.deepEqual(found, [{ reason: "One" }, { reason: "Two" }]);
      const asked = double.seen.filter(({ line }) => line.endsWith("/events")).map(({ query }) => query);
      assert.deepEqual(asked, [{ limit: "1" }, { limit: "1", continue: "more" }]);
    } finally {
      await double.close();
    }
  });
});
