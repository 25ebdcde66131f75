import { parseAllDocuments, parseDocument } from "yaml";
import { UserError } from "../../../core/error.ts";
import { workloadImage } from "../../../core/kubernetes/workload-image.ts";

/**
 * Names of what a release's manifest holds, by kind and version, as the official plugin has them.
 * @example resourceNames(manifest) // { "Deployment.apps/apps/v1": ["web"], "Service/v1": ["web"] }
 */
export function resourceNames(manifest: string): Record<string, string[]> {
  const names = new Map<string, Set<string>>();
  for (const document of parseAllDocuments(manifest)) {
    const object: unknown = document.toJS();
    if (typeof object !== "object" || object === null) continue;
    const {
      apiVersion,
      kind,
      metadata = {},
    } = object as {
      apiVersion?: string;
      kind?: string;
      metadata?: { name?: string; namespace?: string };
    };
    if (apiVersion === undefined || kind === undefined) continue;
    const group = apiVersion.includes("/") ? `.${apiVersion.split("/")[0]}` : "";
    const key = `${kind}${group}/${apiVersion}`;
    const name = metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
    names.set(key, (names.get(key) ?? new Set()).add(name ?? ""));
  }
  return Object.fromEntries([...names].map(([key, found]) => [key, [...found].toSorted()]));
}

/**
 * What containers of a rendered chart run that is another image tomorrow, each with the manifest that says so.
 * @example movingImages(rendered) // ["web/templates/a.yaml: Deployment web: nginx:stable is another image tomorrow: …; fix: write a digest…"]
 */
export function movingImages(rendered: string): string[] {
  const found = rendered.split(/^---\s*$/m).flatMap((text) => {
    // What does not parse is for helm to refuse.
    const object: unknown = parseDocument(text).toJS();
    if (!isMap(object)) return [];
    const { kind, metadata } = object;
    const what = `${kind} ${isMap(metadata) ? metadata.name : ""}`;
    const source = /^# Source: (.+)$/m.exec(text)?.[1];
    return imagesOf(object).flatMap((image) => refusal(image, source === undefined ? what : `${source}: ${what}`));
  });
  return [...new Set(found)].toSorted();
}

/** Of what {@link movingImages} tells, what runs the newest there is: nobody can say what that was. */
export function isNewest(told: string): boolean {
  return /: \S+:latest\S* is another image tomorrow|says no version, and that means latest/i.test(told);
}

function refusal(image: string, where: string): string[] {
  try {
    workloadImage(image, where);
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [`${error.message}; fix: ${error.fix}, where the chart's values take one`];
  }
}

/** Of containers, wherever a kind has them. */
function imagesOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(imagesOf);
  if (!isMap(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (!/^(?:c|initC|ephemeralC)ontainers$/.test(key) || !Array.isArray(inner)) return imagesOf(inner);
    return inner.flatMap((container) =>
      isMap(container) && typeof container.image === "string" ? [container.image] : [],
    );
  });
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
