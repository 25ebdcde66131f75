import assert from "node:assert/strict";
import { installArguments, uninstallArguments, upgradeArguments } from "../../../plugins/kubernetes/helm/arguments.ts";
import { explainHelm } from "../../../plugins/kubernetes/helm/failure.ts";
import { isNewest, movingImages, resourceNames } from "../../../plugins/kubernetes/helm/manifest.ts";
import { merge } from "../../../plugins/kubernetes/helm/releases.ts";

describe("kubernetes plugin: helm's command lines", () => {
  const release = { name: "todo", namespace: "shop", chart: "./chart", values: { password: "canary" } };
  const line = (args: readonly string[]) => args.join(" ");

  it("have no values in them", () => {
    for (const args of [installArguments(release), upgradeArguments(release)]) {
      assert.ok(line(args).includes("--values -"));
      assert.ok(!line(args).includes("canary"));
    }
  });
  it("of a plain release", () => {
    assert.equal(
      line(installArguments(release)),
      "install todo ./chart --namespace shop --values - --output json --timeout 300s --wait",
    );
    assert.equal(
      line(upgradeArguments(release)),
      "upgrade todo ./chart --namespace shop --values - --output json --timeout 300s --wait --reset-values",
    );
    assert.equal(
      line(uninstallArguments(release)),
      "uninstall todo --namespace shop --ignore-not-found --wait --timeout 300s",
    );
  });
  it("of one with everything", () => {
    const all = {
      ...release,
      ...{ version: "1.2.0", repositoryOpts: { repo: "https://charts.example.org" }, timeout: 60, atomic: true },
      ...{
        waitForJobs: true,
        createNamespace: true,
        skipCrds: true,
        maxHistory: 3,
        cleanupOnFail: true,
        reuseValues: true,
      },
    };
    assert.equal(
      line(installArguments(all)),
      "install todo ./chart --repo https://charts.example.org --version 1.2.0 --namespace shop --values - --output json " +
        "--timeout 60s --wait --wait-for-jobs --atomic --create-namespace --skip-crds",
    );
    assert.match(line(upgradeArguments(all)), / --atomic --cleanup-on-fail --reuse-values --history-max 3$/);
  });
  it("wait for nothing where the release says so", () => {
    assert.doesNotMatch(line(installArguments({ ...release, skipAwait: true, waitForJobs: true })), /--wait/);
    assert.doesNotMatch(line(uninstallArguments({ ...release, skipAwait: true })), /--wait/);
  });
});

/** What helm 3.22 writes to standard error. */
describe("kubernetes plugin: helm's failures", () => {
  const release = { name: "todo", namespace: "shop", chart: "./chart" };
  for (const [said, message, fix] of [
    [
      "Error: INSTALLATION FAILED: cannot re-use a name that is still in use\n",
      /can't install: cannot re-use/,
      /pulumi import .* shop\/todo/,
    ],
    [
      "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
      /in progress/,
      /helm -n shop rollback todo/,
    ],
    [
      "WARNING: old\nError: execution error at (c/templates/a.yaml:1:4): greeting has to be a text\n\nUse --debug flag",
      /^can't install: execution error at \(c\/templates\/a\.yaml:1:4\): greeting has to be a text/,
      /helm show values \.\/chart/,
    ],
    [
      "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nc:\n- (root): x is required",
      /x is required/,
      /correct these values/,
    ],
    ['Error: path "./chart" not found', /path/, /relative to the project/],
    [
      "Error: INSTALLATION FAILED: context deadline exceeded",
      /context deadline/,
      /kubectl -n shop get pods -l app\.kubernetes\.io\/instance=todo/,
    ],
    [
      'Error: INSTALLATION FAILED: pods "a" is forbidden: exceeded quota: few, requested: pods=1',
      /the quota of namespace shop has no room for it: few/,
      /describe resourcequota/,
    ],
    [
      'Error: INSTALLATION FAILED: deployments.apps is forbidden: User "ci" cannot create resource "deployments" in API group "apps" in the namespace "shop"',
      /cannot create resource "deployments"/,
      /may create deployments\.apps; try it: kubectl auth can-i create deployments\.apps -n shop$/,
    ],
    [
      'Error: UPGRADE FAILED: roles.rbac.authorization.k8s.io "a" is forbidden: user "ci" is attempting to grant RBAC permissions not currently held',
      /attempting to grant/,
      /kubectl auth can-i --list -n shop$/,
    ],
    [
      'Error: failed to perform "FetchReference" on source: GET "https://ghcr.io/v2/a/web/manifests/1.0.0": response status code 401: unauthorized: authentication required',
      /401/,
      /log in before \(helm repo add/,
    ],
    [
      'Error: looks like "https://charts.example.org" is not a valid chart repository or cannot be reached: Get "https://charts.example.org/index.yaml": dial tcp 192.0.2.1:443: connect: connection refused',
      /connection refused/,
      /this machine reaches the chart's repository/,
    ],
    ["", /helm gives no reason/, /correct what helm names/],
  ] as const)
    it(said.split("\n")[0]?.slice(0, 60) || "nothing", () => {
      const error = explainHelm("install", said, release);
      assert.match(error.message, message);
      assert.match(error.fix, fix);
    });
  it("say which registry a login is for", () => {
    const { fix } = explainHelm("install", "Error: 401: unauthorized", { ...release, chart: "oci://ghcr.io/a/web" });
    assert.equal(fix, "log in before: helm registry login ghcr.io");
  });
});

describe("kubernetes plugin: a release's manifest and values", () => {
  it("name containers' images that are others tomorrow, with the manifest", () => {
    const pod = (...images: string[]) => `containers: [${images.map((image) => `{ image: "${image}" }`).join(", ")}]`;
    const rendered = [
      `---\n# Source: web/templates/a.yaml\nkind: Deployment\nmetadata: { name: web }\nspec: { template: { spec: { ${pod("nginx:stable", "redis:7.4.1")} } } }\n`,
      `---\n# Source: web/templates/b.yaml\nkind: CronJob\nmetadata: { name: tidy }\nspec: { jobTemplate: { spec: { template: { spec: { initC${pod("busybox").slice(1)} } } } } }\n`,
      `---\n# Source: web/templates/c.yaml\nkind: ConfigMap\nmetadata: { name: c }\ndata: { image: "nginx:latest" }\n`,
      "---\n# Source: web/templates/empty.yaml\n",
    ].join("");
    const told = movingImages(rendered);
    assert.equal(told.length, 2, told.join("\n"));
    assert.match(told[0] ?? "", /^web\/templates\/a\.yaml: Deployment web: nginx:stable is another image tomorrow/);
    assert.match(told[1] ?? "", /^web\/templates\/b\.yaml: CronJob tidy: busybox says no version/);
    assert.deepEqual(movingImages(""), []);
    assert.deepEqual(told.map(isNewest), [false, true]);
    const [latest = ""] = movingImages(
      "# Source: a\nkind: Pod\nmetadata: { name: a }\nspec: { containers: [{ image: r:5000/nginx:latest-alpine }] }\n",
    );
    assert.ok(isNewest(latest), latest);
  });

  it("names what it holds, by kind and version", () => {
    const manifest = [
      "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web, namespace: shop }\n",
      "---\n# nothing\n",
      "---\napiVersion: v1\nkind: Service\nmetadata: { name: web }\n",
    ].join("");
    assert.deepEqual(resourceNames(manifest), { "Deployment.apps/apps/v1": ["shop/web"], "Service/v1": ["web"] });
  });
  it("merges maps of values, and takes the later of everything else", () => {
    assert.deepEqual(merge({ a: { b: 1, c: [1] }, d: 1 }, { a: { c: [2] }, d: null }), {
      a: { b: 1, c: [2] },
      d: null,
    });
  });
});
