import assert from "node:assert/strict";
import { isElsewhere } from "../../cli/cluster-moved.ts";
import { anchorsOf } from "../../core/kubernetes/anchors.ts";
import { Cluster } from "../../plugins/kubernetes/cluster.ts";
import { readSettings } from "../../plugins/kubernetes/settings.ts";
import { type Double, refusal, startDouble } from "../plugins/kubernetes/double.ts";

const provider = "urn:pulumi:prod::keelson::pulumi:providers:kubernetes::prod::0b1c";
const resource = (apiVersion: string, kind: string, name: string, namespace?: string) => ({
  ...{ type: `kubernetes:x:${kind}`, provider },
  outputs: { apiVersion, kind, metadata: { name, uid: `uid-${name}`, ...(namespace && { namespace }) } },
});
const RESOURCES = [
  resource("v1", "Service", "web", "shop"),
  resource("apps/v1", "Deployment", "api", "shop"),
  resource("v1", "Namespace", "shop"),
  resource("v1", "Service", "more", "shop"),
  { type: "kubernetes:helm.sh/v3:Release", provider, outputs: { name: "chart" } },
  { ...resource("v1", "Namespace", "other"), provider: provider.replace("::prod::0", "::old::0") },
];

describe("a cluster that is another one than before", () => {
  let double: Double;
  let cluster: Cluster;
  beforeEach(async () => {
    double = await startDouble();
    cluster = new Cluster(readSettings({ kubeconfig: double.kubeconfig }, {}), new AbortController().signal);
  });
  afterEach(() => double.close());
  const anchors = anchorsOf("prod", RESOURCES);
  const has = (uid: string) =>
    double.answer("GET /api/v1/namespaces/shop", { status: 200, body: { metadata: { name: "shop", uid } } });

  it("is asked for three objects of the state, namespaces first", () => {
    assert.deepEqual(
      anchors.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`),
      ["Namespace /shop", "Service shop/web", "Deployment shop/api"],
    );
  });
  it("has none of them", async () => assert.equal(await isElsewhere(cluster, anchors), true));
  it("has others of their names", async () => {
    has("uid-of-another");
    assert.equal(await isElsewhere(cluster, anchors), true);
  });
  it("is the same one where one of them is there", async () => {
    has("uid-shop");
    assert.equal(await isElsewhere(cluster, anchors), false);
  });
  it("is not known where it may not be asked, or does not answer", async () => {
    double.answer("GET /api/v1/namespaces/shop", refusal(403, "Forbidden", "no"));
    assert.equal(await isElsewhere(cluster, anchors), false);
    await double.close();
    assert.equal(await isElsewhere(cluster, anchors), false);
    double = await startDouble();
  });
});
