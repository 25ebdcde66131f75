import { canonicalJson, sha256 } from "../hash.ts";
import type { Component, Inventory } from "./inventory.ts";
import { purl } from "./purl.ts";

/** What the document is about, and who wrote it. */
export interface SbomSubject {
  /** Without tag and digest. @example "ghcr.io/acme/worker" */
  readonly repository: string;
  /** keelson's. */
  readonly version: string;
}

/** Media type of the document, and artifact type of what holds it in a registry (IANA's registry). */
export const CYCLONEDX = "application/vnd.cyclonedx+json";

/**
 * An image's packages as CycloneDX 1.6 (ECMA-424), JSON. Without a time: equal images give equal bytes, and the
 * serial number follows from them.
 * @example cycloneDx(inventoryOf(image), { repository: "ghcr.io/acme/worker", version: "0.1.0" })
 */
export function cycloneDx(inventory: Inventory, { repository, version }: SbomSubject): string {
  const { platform, digest, os, components } = inventory;
  const name = repository.slice(repository.lastIndexOf("/") + 1);
  const qualifiers = { arch: platform.split("/")[1], repository_url: repository };
  const image = purl({ type: "oci", name, version: digest, qualifiers });
  const document = {
    version: 1,
    metadata: {
      tools: { components: [{ type: "application", name: "keelson", version }] },
      component: { type: "container", "bom-ref": image, name: repository, version: digest, purl: image },
      properties: [{ name: "keelson:platform", value: platform }],
    },
    components: [
      ...(os === undefined
        ? []
        : [{ type: "operating-system", "bom-ref": "os", name: os.id, version: os.version, description: os.name }]),
      ...components.map(componentEntry),
    ],
  };
  const head = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(canonicalJson(document))}`,
  };
  return `${JSON.stringify({ ...head, ...document }, null, 2)}\n`;
}

function componentEntry({ type, name, version, purl: id, source, paths }: Component) {
  return {
    // What no registry has is a program; what has a package URL may be one too, but is used as a library as often.
    type: id === undefined ? "application" : "library",
    "bom-ref": id ?? `${type}:${name}@${version}`,
    name,
    version,
    ...(id !== undefined && { purl: id }),
    ...(source && {
      properties: [
        { name: "keelson:source:name", value: source.name },
        { name: "keelson:source:version", value: source.version },
      ],
    }),
    evidence: { occurrences: paths.map((location) => ({ location: `/${location}` })) },
  };
}

/** A UUID of version 8 (RFC 9562: made as its maker likes) from a hash. */
function uuidOf(text: string): string {
  const hex = sha256(text);
  const variant = ((Number.parseInt(hex[16] ?? "0", 16) & 3) | 8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}
