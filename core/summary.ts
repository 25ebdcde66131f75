import type { Budget } from "./image.ts";
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

/** Where the services of each host are reached, by host, by service. */
export type HostUrls = Readonly<Record<string, { readonly urls: Readonly<Record<string, string>> }>>;

/** The table behind it: a row per service that people reach; undefined where there is none. */
export function formatUrls(hosts: HostUrls): string | undefined {
  const rows = Object.entries(hosts).flatMap(([host, { urls }]) =>
    Object.entries(urls)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([service, url]) => [host, service, url]),
  );
  return rows.length === 0 ? undefined : formatTable(["host", "service", "url"], rows);
}

/** Size against its bound. @example withBudget(489e6, "500 MB") // "489 MB of 500 MB" */
function withBudget(bytes: number, bound: string | undefined): string {
  if (bound === undefined) return formatBytes(bytes);
  return `${formatBytes(bytes)} of ${bound}${bytes > parseSize(bound) ? " OVER" : ""}`;
}
