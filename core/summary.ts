import type { Budget } from "./image.ts";
import { type ClusterFlags, kubectl, onCluster } from "./kubernetes/words.ts";
import { formatBytes, parseSize } from "./size.ts";
import { formatTable } from "./table.ts";

/** What became of one platform of an image. */
export interface PlatformResult {
  readonly platform: string;
  readonly digest: string;
  /** Bytes of the layers as the registry holds them. */
  readonly compressed: number;
  /** Bytes of the layers' archives. */
  readonly unpacked: number;
  readonly outcome: "built" | "reused";
  /** From the start of the build to the end of its checks. */
  readonly seconds: number;
  readonly mode: "native" | "qemu";
}

/** What became of an image, as the program's outputs tell it. */
export interface ImageResult {
  readonly name: string;
  readonly ref: string;
  readonly digest: string;
  readonly tags: readonly string[];
  readonly budget: Budget;
  readonly platforms: readonly PlatformResult[];
}

/**
 * The table at the end of `up`: a row per image and platform.
 * @param changed names of the images that this run changed; the others were found as they should be.
 */
export function formatSummary(images: readonly ImageResult[], changed: ReadonlySet<string>): string {
  const rows = images.flatMap((image) =>
    image.platforms.map((p, i) => {
      const now = changed.has(image.name) && p.outcome === "built";
      return [
        i === 0 ? image.name : "",
        p.mode === "qemu" ? `${p.platform} (qemu)` : p.platform,
        i === 0 ? (image.tags[0] ?? "-") : "",
        `${p.digest.slice(0, "sha256:".length + 12)}…`,
        withBudget(p.compressed, image.budget.compressed),
        withBudget(p.unpacked, image.budget.unpacked),
        now ? "built" : "reused",
        now ? p.seconds.toFixed(1) : "-",
      ];
    }),
  );
  return formatTable(["image", "platform", "tag", "digest", "compressed", "unpacked", "outcome", "seconds"], rows);
}

/** Where the services of each host, or the applications of each cluster, are reached, by its name, by theirs. */
export type Urls = Readonly<Record<string, { readonly urls: Readonly<Record<string, string>> }>>;

/** The table behind it: a row per service that is reached; undefined where there is none. */
export function formatUrls(hosts: Urls, clusters: Urls = {}): string | undefined {
  const places = [...Object.entries(hosts), ...Object.entries(clusters)];
  const rows = places.flatMap(([host, { urls }]) =>
    Object.entries(urls)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([service, url]) => [host, service, url]),
  );
  return rows.length === 0 ? undefined : formatTable([placeName(hosts, clusters), "service", "url"], rows);
}

/** What a service's address inside of a cluster is made of. @example "http://todo-frontend.todo.svc:3000" */
const INSIDE = /^http:\/\/([a-z0-9-]+)\.([a-z0-9-]+)\.svc:(\d+)$/;

/**
 * How services inside of clusters are reached from here: for each cluster that has some, its last as an example.
 * @param access how each cluster is reached, where that is known
 */
export function forwardHints(clusters: Urls, access: ReadonlyMap<string, ClusterFlags>): string[] {
  return Object.entries(clusters).flatMap(([name, { urls }]) => {
    const inside = Object.keys(urls)
      .toSorted()
      .map((service) => INSIDE.exec(urls[service] ?? ""))
      .findLast((found) => found !== null);
    if (!inside) return [];
    const [, service, namespace = "", port] = inside;
    const command = kubectl(namespace, "port-forward", `svc/${service}`, `${port}:${port}`);
    return [`${name}: from here: ${onCluster(command, access.get(name) ?? {})}`];
  });
}

function placeName(hosts: Urls, clusters: Urls): string {
  if (Object.keys(clusters).length === 0) return "host";
  return Object.keys(hosts).length === 0 ? "cluster" : "where";
}

/** What people do next with a stack that has come up, as commands. */
export function nextCommands(stack: string, images: readonly string[], runs: boolean): string[] {
  const of = stack === "dev" ? "" : ` --stack ${stack}`;
  const report = images.includes("worker-minimal") ? "report worker" : `report ${images.join(" ")}${of}`;
  return [...(images.length === 0 ? [] : [report]), `${runs ? "status" : "plan"}${of}`].map(
    (command) => `npm run keelson -- ${command}`,
  );
}

/** Size against its bound. @example withBudget(489e6, "500 MB") // "489 MB of 500 MB" */
function withBudget(bytes: number, bound: string | undefined): string {
  if (bound === undefined) return formatBytes(bytes);
  return `${formatBytes(bytes)} of ${bound}${bytes > parseSize(bound) ? " OVER" : ""}`;
}
