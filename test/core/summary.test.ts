import assert from "node:assert/strict";
import { formatSummary, formatUrls, forwardHints, type ImageResult, nextCommands } from "../../core/summary.ts";

const image: ImageResult = {
  name: "worker-minimal",
  ref: "localhost:5443/worker-minimal@sha256:aa",
  digest: "sha256:aa",
  tags: ["worker-20261121-d9330cd"],
  budget: { unpacked: "600 MB" },
  platforms: [
    {
      platform: "linux/amd64",
      digest: `sha256:${"1".repeat(64)}`,
      compressed: 219e6,
      unpacked: 489e6,
      outcome: "built",
      seconds: 41.26,
      mode: "native",
    },
    {
      platform: "linux/arm64",
      digest: `sha256:${"2".repeat(64)}`,
      compressed: 210e6,
      unpacked: 601e6,
      outcome: "reused",
      seconds: 0,
      mode: "qemu",
    },
  ],
};

describe("summary", () => {
  it("has a row per platform with sizes against the budget", () => {
    const [, , amd64, arm64] = formatSummary([image], new Set(["worker-minimal"])).split("\n");
    assert.match(
      amd64 ?? "",
      /worker-minimal +linux\/amd64 +worker-20261121-d9330cd +sha256:1{12}… +219 MB +489 MB of 600 MB +built +41\.3$/,
    );
    assert.match(arm64 ?? "", /^ +linux\/arm64 \(qemu\) +sha256:2{12}… +210 MB +601 MB of 600 MB OVER +reused +-$/);
  });

  it("an image that this run did not change counts as reused", () =>
    assert.doesNotMatch(formatSummary([image], new Set()), /built/));

  it("says where services are reached, where there are some", () => {
    const hosts = {
      vps1: { urls: { weft: "http://203.0.113.7", api: "http://203.0.113.7:81" } },
      vps2: { urls: {} },
    };
    assert.deepEqual(formatUrls(hosts)?.split("\n").slice(2), [
      "vps1  api      http://203.0.113.7:81",
      "vps1  weft     http://203.0.113.7",
    ]);
    assert.equal(formatUrls({ vps2: { urls: {} } }), undefined);
    const clusters = { lab: { urls: { api: "http://api.todo.svc" } } };
    assert.match(formatUrls({}, clusters) ?? "", /^cluster +service +url\n.*\nlab +api +http:\/\/api\.todo\.svc$/);
    assert.match(formatUrls(hosts, clusters) ?? "", /^where +service/);
  });

  it("says how a service inside of a cluster is reached from here, one for each cluster that has any", () => {
    const clusters = {
      lab: { urls: { api: "http://api.todo.svc:8000", web: "http://web.todo.svc:3000" } },
      prod: { urls: { web: "https://todo.acme.io" } },
      none: { urls: {} },
    };
    assert.deepEqual(forwardHints(clusters, new Map([["lab", { kubeconfig: "/lab/kubeconfig", context: "lab" }]])), [
      "lab: from here: kubectl --kubeconfig /lab/kubeconfig --context lab -n todo port-forward svc/web 3000:3000",
    ]);
    assert.match(forwardHints(clusters, new Map())[0] ?? "", /: kubectl -n todo port-forward/);
  });

  it("says what to do next with the stack that it was", () => {
    const npm = "npm run keelson --";
    const dev = ["worker-ultramin", "worker-minimal", "gateway-core"];
    assert.deepEqual(nextCommands("dev", dev, false), [`${npm} report worker`, `${npm} plan`]);
    const lab = [`${npm} report weft --stack lab`, `${npm} status --stack lab`];
    assert.deepEqual(nextCommands("lab", ["weft"], true), lab);
    assert.deepEqual(nextCommands("empty", [], false), [`${npm} plan --stack empty`]);
  });
});
