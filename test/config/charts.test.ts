import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCharts } from "../../config/charts.ts";
import type { PlannedChart } from "../../core/cluster-plan.ts";

describe("readCharts", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "keelson-charts-"));
    mkdirSync(join(root, "helm/web/templates"), { recursive: true });
    writeFileSync(join(root, "helm/web/Chart.yaml"), "name: web\nversion: 1.0.0\n");
    writeFileSync(join(root, "helm/web/templates/a.yaml"), "a: 1\n");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const read = async (chart: Partial<PlannedChart>) => {
    const charts = [{ name: "web", namespace: "n", chart: "./helm/web", ...chart }];
    const place = { kind: "lab" } as const;
    const { clusters, findings } = await readCharts(root, [
      { name: "lab", place, namespaces: [], databases: [], apps: [], charts },
    ]);
    return { content: clusters[0]?.charts[0]?.content, subjects: findings.map(({ subject }) => subject) };
  };

  it("sees a change of a folder's files that its version does not tell", async () => {
    const before = await read({});
    assert.match(before.content ?? "", /^[0-9a-f]{64}$/);
    assert.deepEqual(await read({}), before);
    assert.deepEqual(await read({ chart: join(root, "helm/web") }), before, "by its whole path");
    writeFileSync(join(root, "helm/web/templates/a.yaml"), "a: 2\n");
    assert.notEqual((await read({})).content, before.content);
  });

  it("tells of folders without a chart, and of charts elsewhere without version or place", async () => {
    const key = "keelson:kubernetes.lab.charts.web";
    assert.deepEqual((await read({ chart: "./helm" })).subjects, [`${key}.chart`]);
    assert.deepEqual((await read({ chart: "web" })).subjects, [`${key}.version`, `${key}.repository`]);
    const chart = "oci://ghcr.io/acme/web";
    assert.deepEqual((await read({ chart, version: "1.0.0" })).subjects, []);
    assert.deepEqual((await read({ chart })).subjects, [`${key}.version`]);
    assert.deepEqual((await read({ chart: `${chart}@sha256:${"a".repeat(64)}` })).subjects, []);
  });

  it("takes one version, and none that stands for the newest which fits", async () => {
    const repository = "https://charts.acme.io";
    for (const version of ["1.2.3", "v1.2.3", "1.2.3-rc.1+build.5"])
      assert.deepEqual((await read({ chart: "web", repository, version })).subjects, [], version);
    for (const version of ["1", "1.2", "^1.2.3", ">=1.2.3", "1.x", "*", "latest"])
      assert.equal((await read({ chart: "web", repository, version })).subjects.length, 1, version);
  });
});
