import { createHash } from "node:crypto";
import type { RegistryClient } from "../../../oci/client.ts";
import { answer, startDouble } from "../../oci/double.ts";

/** A registry in memory, as small as tests of resources can do with: every repository has all blobs. */
export interface MemoryRegistry {
  readonly host: string;
  readonly client: RegistryClient;
  /** By `repository@digest` and `repository:tag`. */
  readonly manifests: Map<string, { readonly bytes: Buffer; readonly type: string }>;
  /** By digest. */
  readonly blobs: Map<string, Buffer>;
  /** Writes of manifests. */
  readonly writes: string[];
  /** Every request, as `METHOD path`. */
  readonly requests: string[];
  /** Whether it lists referrers itself; else they stand under the tag of the distribution specification's fallback. */
  referrers: boolean;
  /** When set, every request is answered with this status. */
  broken: number | undefined;
  /** Manifests under such references are refused, with 405. */
  refuse: RegExp | undefined;
  put(repository: string, tag: string | undefined, document: object): string;
  tag(repository: string, tag: string): string | undefined;
  close(): Promise<void>;
}

export async function startRegistry(): Promise<MemoryRegistry> {
  const manifests: MemoryRegistry["manifests"] = new Map();
  const blobs: MemoryRegistry["blobs"] = new Map();
  const writes: string[] = [];
  const requests: string[] = [];
  const state: Pick<MemoryRegistry, "broken" | "referrers" | "refuse"> = {
    broken: undefined,
    referrers: false,
    refuse: undefined,
  };
  const key = (repository: string, reference: string) =>
    `${repository}${reference.startsWith("sha256:") ? "@" : ":"}${reference}`;
  const store = (repository: string, reference: string, bytes: Buffer, type: string) => {
    manifests.set(key(repository, reference), { bytes, type });
    manifests.set(key(repository, digestOf(bytes)), { bytes, type });
  };
  /** What refers to a manifest of a repository, as its list has it. */
  const referrersOf = (repository: string, subject: string) =>
    [...manifests].flatMap(([name, { bytes, type }]) => {
      if (!name.startsWith(`${repository}@`)) return [];
      const document = JSON.parse(bytes.toString());
      if (document.subject?.digest !== subject) return [];
      const { artifactType, annotations } = document;
      return [{ mediaType: type, digest: digestOf(bytes), size: bytes.length, artifactType, annotations }];
    });
  const double = await startDouble((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const [, repository = "", reference = ""] = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(request.url) ?? [];
    if (state.broken !== undefined) return answer(response, state.broken);
    if (request.url === "/v2/") return answer(response, 200);
    const [, listed] = /^\/v2\/(.+)\/tags\/list/.exec(request.url) ?? [];
    if (listed !== undefined) {
      const tags = [...manifests.keys()].flatMap((name) =>
        name.startsWith(`${listed}:`) ? [name.slice(listed.length + 1)] : [],
      );
      return answer(response, 200, JSON.stringify({ name: listed, tags }));
    }
    const blob = /\/blobs\/(sha256:[0-9a-f]+)$/.exec(request.url)?.[1];
    if (blob !== undefined) {
      const bytes = blobs.get(blob);
      if (bytes === undefined || request.method === "GET") return answer(response, bytes ? 200 : 404, bytes);
      response.writeHead(200, { "content-length": String(bytes.length) }).end();
      return;
    }
    if (request.url.includes("/blobs/uploads/")) {
      if (request.method === "POST") return answer(response, 202, "", { location: `${request.url}one` });
      blobs.set(digestOf(request.body), request.body);
      return answer(response, 201);
    }
    const [, about = "", subject = ""] = /^\/v2\/(.+)\/referrers\/(.+)$/.exec(request.url) ?? [];
    if (subject !== "" && state.referrers)
      return answer(response, 200, JSON.stringify({ schemaVersion: 2, manifests: referrersOf(about, subject) }));
    if (request.method === "PUT") {
      if (state.refuse?.test(reference)) return answer(response, 405);
      writes.push(`${repository} ${reference}`);
      store(repository, reference, request.body, request.headers["content-type"] ?? "");
      const about = JSON.parse(request.body.toString()).subject?.digest;
      return answer(response, 201, "", about !== undefined && state.referrers ? { "oci-subject": about } : {});
    }
    const found = manifests.get(key(repository, reference));
    if (found === undefined) return answer(response, 404);
    const headers = { "content-type": found.type, "docker-content-digest": digestOf(found.bytes) };
    if (request.method !== "HEAD") return answer(response, 200, found.bytes, headers);
    response.writeHead(200, { ...headers, "content-length": String(found.bytes.length) }).end();
  });
  return Object.assign(state, {
    host: double.host,
    client: double.client(),
    manifests,
    blobs,
    writes,
    requests,
    put(repository: string, tag: string | undefined, document: object) {
      const bytes = Buffer.from(JSON.stringify(document));
      store(repository, tag ?? digestOf(bytes), bytes, String((document as { mediaType?: string }).mediaType));
      return digestOf(bytes);
    },
    tag(repository: string, tag: string) {
      const found = manifests.get(key(repository, tag));
      return found && digestOf(found.bytes);
    },
    close: () => double.close(),
  });
}

/** The manifest of a platform whose layers weigh so many bytes. */
export function platformManifest(compressed: number, salt = ""): object {
  const blob = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
  return {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: blob(`config${salt}`), size: 2 },
    layers: [
      {
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        digest: blob(`layer${salt}${compressed}`),
        size: compressed,
      },
    ],
  };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
