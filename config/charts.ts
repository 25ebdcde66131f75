import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import semver from "semver";
import type { PlannedChart, PlannedCluster } from "../core/cluster-plan.ts";
import type { Finding } from "../core/finding.ts";
import { contextHash } from "../core/hash.ts";
import { readTree } from "../toolchain/context.ts";

/**
 * Clusters with a hash over the files of each chart that is a folder: helm sees a new version of one by its number alone.
 * @returns findings for folders that hold no chart, and for charts elsewhere of which nobody says the one version
 */
export async function readCharts(
  root: string,
  clusters: readonly PlannedCluster[],
): Promise<{ readonly clusters: readonly PlannedCluster[]; readonly findings: readonly Finding[] }> {
  const findings: Finding[] = [];
  const read = await Promise.all(
    clusters.map(async (cluster) => {
      const charts = await Promise.all(cluster.charts.map((chart) => readChart(root, cluster.name, chart, findings)));
      return { ...cluster, charts };
    }),
  );
  return { clusters: read, findings };
}

/** Helm pulls by it, whatever tags say. */
const OCI_DIGEST = /^oci:\/\/.+@sha256:[0-9a-f]{64}$/;

async function readChart(
  root: string,
  cluster: string,
  chart: PlannedChart,
  findings: Finding[],
): Promise<PlannedChart> {
  const key = `keelson:kubernetes.${cluster}.charts.${chart.name}`;
  const finding = (field: string, message: string, fix: string) =>
    findings.push({ rule: "kubernetes/chart", severity: "error", subject: `${key}.${field}`, message, fix });
  if (!/^\.{0,2}\//.test(chart.chart)) {
    const { version } = chart;
    const fix = `write the version of ${chart.chart}, such as 1.2.3`;
    if (version === undefined) {
      if (!OCI_DIGEST.test(chart.chart)) finding("version", "the newest chart is another one tomorrow", fix);
    } else if (semver.valid(version) === null)
      // Helm takes 1.2, ^1.2 and the like for the newest that fits.
      finding("version", `${version} is no version of one chart: what it fits is another one tomorrow`, fix);
    if (chart.repository === undefined && !chart.chart.startsWith("oci://"))
      finding("repository", "nothing says where the chart is", "write its repository, or ./ before a folder's path");
    return chart;
  }
  const folder = resolve(root, chart.chart);
  if (!existsSync(join(folder, "Chart.yaml"))) {
    finding("chart", `${chart.chart} has no Chart.yaml`, "write the path of a chart's folder, relative to the project");
    return chart;
  }
  return { ...chart, content: contextHash(await readTree(folder)) };
}
