import { at } from "./applied.ts";
import { settingsOf } from "./workload-status.ts";

/** At most so many are named; the rest is counted. */
const SHOWN = 8;

/**
 * What of a pod template becomes another thing, apart from its images: fields by their path, variables of ConfigMaps by
 * their name, and of Secrets that they are others.
 * @param dataOf a ConfigMap's variables; undefined where it can't be read
 * @example versionChanges(before, after, dataOf) // ["COLOUR: green -> blue", "resources.limits.memory: 512Mi -> 256Mi"]
 */
export function versionChanges(
  before: unknown,
  after: unknown,
  dataOf: (configMap: string) => Readonly<Record<string, string>> | undefined,
): string[] {
  const changes = [...variableChanges(before, after, dataOf), ...fieldChanges(plain(before), plain(after), "")];
  const more = changes.length - SHOWN;
  return more > 0 ? [...changes.slice(0, SHOWN), `and ${more} more`] : changes;
}

function variableChanges(
  before: unknown,
  after: unknown,
  dataOf: (configMap: string) => Readonly<Record<string, string>> | undefined,
): string[] {
  const [olds, news] = [settingsOf(before), settingsOf(after)];
  const names = (settings: typeof olds, of: string) =>
    settings.filter(({ kind }) => kind === of).map(({ name }) => name);
  const secrets = [names(olds, "Secret"), names(news, "Secret")].map((all) => all.join(", ") || "none");
  const data = [names(olds, "ConfigMap"), names(news, "ConfigMap")].map((all) => all.map(dataOf));
  const isKnown = data.flat().every((one) => one !== undefined);
  const [was, is] = data.map((all) => Object.assign({}, ...all) as Record<string, string>);
  const configs = [names(olds, "ConfigMap"), names(news, "ConfigMap")].map((all) => all.join(", ") || "none");
  return [
    ...(isKnown
      ? fieldChanges(was, is, "")
      : configs[0] === configs[1]
        ? []
        : [`ConfigMap: ${configs[0]} -> ${configs[1]}`]),
    ...(secrets[0] === secrets[1] ? [] : [`secrets: those of ${secrets[0]} -> those of ${secrets[1]}`]),
  ];
}

/** What is left when images and settings are told of by themselves; containers by their names. */
function plain(template: unknown): Readonly<Record<string, unknown>> {
  const of = (key: "containers" | "initContainers") => {
    const all = at(template, "spec", key);
    return Object.fromEntries(
      (Array.isArray(all) ? all : []).map((container: Readonly<Record<string, unknown>>, i) => {
        const { name, image: _, envFrom: __, ...rest } = container;
        // The application's own needs no name.
        return [key === "containers" && i === 0 ? "" : String(name), rest];
      }),
    );
  };
  const { containers: _, initContainers: __, ...spec } = (at(template, "spec") ?? {}) as Record<string, unknown>;
  const { "": own, ...others } = of("containers");
  return {
    ...spec,
    ...own,
    ...others,
    ...of("initContainers"),
    annotations: at(template, "metadata", "annotations"),
  };
}

function fieldChanges(before: unknown, after: unknown, path: string): string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (!isMap(before) || !isMap(after)) return [`${path}: ${show(before)} -> ${show(after)}`];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .toSorted()
    .flatMap((key) => fieldChanges(before[key], after[key], path === "" ? key : `${path}.${key}`));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
