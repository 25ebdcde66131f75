import type { WorkloadHistory } from "./prune.ts";

/** A service of a host, as its program's `status` tells it. */
export interface ServiceStatus {
  readonly service: string;
  readonly state: "ok" | "drift";
  /** By digest; undefined where nothing serves. */
  readonly image: string | undefined;
  /** What is wrong. @example ["unit edited", "unhealthy"] */
  readonly drift: readonly string[];
  /** Images that the host keeps, newest first, the serving one among them. */
  readonly kept: readonly string[];
  /** The tag that it follows; undefined where it runs what its stack says. */
  readonly channel?: string;
  /** Since when its proxy answers in its place. @example "2026-02-01T06:00:00Z" */
  readonly maintenance?: string;
}

/** What a host or a cluster said. */
export interface PlaceStatus {
  readonly services: readonly ServiceStatus[];
  /** What else is wrong, such as a full disk, or why it could not be asked. */
  readonly notes: readonly string[];
  readonly healthy: boolean;
  /** Set where it could not be asked: nobody knows what runs there. */
  readonly unreachable?: true;
}

/**
 * What `keelson status` ends with: 0 where all is as the stack left it, 3 where something drifted, and 4 where a place
 * could not be asked, whatever the others said.
 */
export function statusCode(places: readonly Pick<PlaceStatus, "healthy" | "unreachable">[]): 0 | 3 | 4 {
  if (places.some(({ unreachable }) => unreachable)) return 4;
  return places.every(({ healthy }) => healthy) ? 0 : 3;
}

/** Reads what the host's program printed: a line a service, fields between tabs. Other lines are no services. */
export function parseStatus(text: string): ServiceStatus[] {
  return text.split("\n").flatMap((line): ServiceStatus[] => {
    const [service = "", state, image = "", , drift = "", kept = "", channel = "", maintenance = ""] = line.split("\t");
    if (state !== "ok" && state !== "drift") return [];
    return [
      {
        service,
        state,
        image: image || undefined,
        drift: list(drift),
        kept: list(kept),
        ...(channel !== "" && { channel }),
        ...(maintenance !== "" && { maintenance }),
      },
    ];
  });
}

function list(text: string): string[] {
  return text.split(",").filter((item) => item !== "");
}

/**
 * The versions that a host runs and keeps of each service, newest first, as far as they are a registry's. A service
 * that moved from one repository to another has a history in each.
 * @param registry host with port
 */
export function histories(host: string, services: readonly ServiceStatus[], registry: string): WorkloadHistory[] {
  return services.flatMap(({ service, image, kept }) => {
    const versions = [...new Set([...(image === undefined ? [] : [image]), ...kept])].flatMap((reference) => {
      const [place = "", digest = ""] = reference.split("@");
      return place.startsWith(`${registry}/`) ? [{ repository: place.slice(registry.length + 1), digest }] : [];
    });
    return [...new Set(versions.map(({ repository }) => repository))].map((repository) => ({
      workload: `${service} on ${host}`,
      repository,
      digests: versions.filter((v) => v.repository === repository).map(({ digest }) => digest),
    }));
  });
}
