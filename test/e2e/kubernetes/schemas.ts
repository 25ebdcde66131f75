import { mkdir, writeFile } from "node:fs/promises";
import https from "node:https";
import { join } from "node:path";
import type { KubeConfig } from "@kubernetes/client-node";

/** OpenAPI v3 as API servers give it, as far as kubeconform needs it. */
interface Document {
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}
interface Schema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly additionalProperties?: unknown;
  readonly "x-kubernetes-group-version-kind"?: readonly { readonly kind: string }[];
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
}

/**
 * Writes what an API server says of its kinds as kubeconform's schemas, unknown fields forbidden: the tool's own source of
 * them is a host that a test should not depend on.
 * @returns the folder's pattern, for `-schema-location`
 */
export async function writeSchemas(config: KubeConfig, versions: readonly string[], folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const version of versions) {
    const path = version === "v1" ? "api/v1" : `apis/${version}`;
    const { components = {} } = JSON.parse(await answer(config, `/openapi/v3/${path}`)) as Document;
    const strict = JSON.parse(JSON.stringify(components), (_, value) => closed(value as Schema)) as typeof components;
    for (const [name, schema] of Object.entries(strict.schemas ?? {}))
      for (const { kind } of schema["x-kubernetes-group-version-kind"] ?? [])
        await writeFile(
          join(folder, `${kind.toLowerCase()}-${version.replace(/(?:\..*)?\//, "-")}.json`),
          JSON.stringify({ $ref: `#/components/schemas/${name}`, components: strict }),
        );
  }
  return `${folder}/{{ .ResourceKind }}{{ .KindSuffix }}.json`;
}

/** An object whose fields are known takes no others. */
function closed(schema: Schema): unknown {
  if (typeof schema !== "object" || schema === null || schema.properties === undefined) return schema;
  if (schema["x-kubernetes-preserve-unknown-fields"] === true || schema.additionalProperties !== undefined)
    return schema;
  return { ...schema, additionalProperties: false };
}

/** What an API server answers to a path. */
export async function answer(config: KubeConfig, path: string): Promise<string> {
  const options: https.RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return new Promise((done, failed) => {
    https
      .get(`${config.getCurrentCluster()?.server}${path}`, options, (response) => {
        let text = "";
        response.on("data", (piece) => {
          text += String(piece);
        });
        response.on("end", () =>
          response.statusCode === 200 ? done(text) : failed(new Error(`${path}: ${response.statusCode} ${text}`)),
        );
      })
      .on("error", failed);
  });
}
