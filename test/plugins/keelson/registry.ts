import { createHash } from "node:crypto";
import type { RegistryClient } from "../../../oci/client.ts";
import { answer, startDouble } from "../../oci/double.ts";

/** A registry in memory, for manifests alone: what tests of resources need of one. */
export interface MemoryRegistry {
  readonly host: string;
  readonly client: RegistryClient;
  /** By `repository@digest` and `repository:tag`. */
  readonly manifests: Map<string, { readonly bytes: Buffer; readonly type: string }>;
  /** Requests that changed something. */
  readonly writes: string[];
  /** When set, every request is answered with this status. */
  broken: number | undefined;
  put(repository: string, tag: string | undefined, document: object): string;
  tag(repository: string, tag: string): string | undefined;
  close(): Promise<void>;
}

export async function startRegistry(): Promise<MemoryRegistry> {
  const manifests: MemoryRegistry["manifests"] = new Map();
  const writes: string[] = [];
  const state: { broken: number | undefined } = { broken: undefined };
  const key = (repository: string, reference: string) =>
    `${repository}${reference.startsWith("sha256:") ? "@" : ":"}${reference}`;
  const store = (repository: string, reference: string, bytes: Buffer, type: string) => {
    manifests.set(key(repository, reference), { bytes, type });
    manifests.set(key(repository, digestOf(bytes)), { bytes, type });
  };
  const double = await startDouble((request, response) => {
    const [, repository = "", reference = ""] = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(request.url) ?? [];
    if (state.broken !== undefined) return answer(response, state.broken);
    if (request.url === "/v2/") return answer(response, 200);
    if (request.method === "PUT") {
      writes.push(`${repository} ${reference}`);
      store(repository, reference, request.body, request.headers["content-type"] ?? "");
      return answer(response, 201);
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
    writes,
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
