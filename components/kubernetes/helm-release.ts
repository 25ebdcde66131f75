import { Release } from "@pulumi/kubernetes/helm/v3/release.js";
import * as pulumi from "@pulumi/pulumi";

export interface HelmReleaseArgs {
  /** Default: the resource's name. */
  readonly release?: string;
  readonly namespace: pulumi.Input<string>;
  /** A folder (relative to the project), a chart's name in `repository`, or `oci://host/path`. */
  readonly chart: string;
  /** Of the chart. A chart that is no folder has to have one: the newest is another one tomorrow. */
  readonly version?: string;
  /** Address of the chart's repository. @example "https://charts.example.org" */
  readonly repository?: string;
  readonly values?: Readonly<Record<string, unknown>>;
  /** Values by their path, over `values`. @example { "backend.image": image.ref } */
  readonly set?: Readonly<Record<string, pulumi.Input<unknown>>>;
  /** Like `set`; they stay secret. */
  readonly secrets?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Hash over a folder's files: what helm would not see as a new version. */
  readonly content?: string;
  /** Seconds that its resources may take until they are ready. Default: 300, helm's own. */
  readonly timeout?: number;
}

/**
 * A release of a Helm chart, awaited: one that does not come up is put back by helm (`--atomic`), and the program fails.
 * @example
 * new HelmRelease("evolution-todo", {
 *   namespace: "todo", chart: "./helm/todo-chatbot", set: { "backend.image": images.get("todo-backend").ref },
 * });
 */
export class HelmRelease extends pulumi.ComponentResource {
  readonly release: Release;

  constructor(name: string, args: HelmReleaseArgs, options?: pulumi.ComponentResourceOptions) {
    super("keelson:kubernetes:HelmRelease", name, {}, options);
    const { namespace, chart, version, repository, content, timeout } = args;
    this.release = new Release(
      name,
      {
        name: args.release ?? name,
        namespace,
        chart,
        ...(version === undefined ? {} : { version }),
        ...(repository === undefined ? {} : { repositoryOpts: { repo: repository } }),
        values: releaseValues(args),
        ...(content === undefined ? {} : { description: `chart ${content.slice(0, 12)}` }),
        timeout: timeout ?? 300,
        atomic: true,
        waitForJobs: true,
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}

/** What helm gets. Each secret is one of its own: what stands beside it may be told, and shown in a preview. */
export function releaseValues({
  values = {},
  set = {},
  secrets = {},
}: Pick<HelmReleaseArgs, "values" | "set" | "secrets">): Record<string, unknown> {
  const hidden = Object.entries(secrets).map(([path, value]) => [path, pulumi.secret(value)] as const);
  return withPaths(withPaths(values, set), Object.fromEntries(hidden));
}

/** Values with others at their paths; what stood there gives way. */
export function withPaths(
  values: Readonly<Record<string, unknown>>,
  set: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  let result: Record<string, unknown> = { ...values };
  for (const [path, value] of Object.entries(set)) result = withPath(result, path.split("."), value);
  return result;
}

function withPath(
  values: Record<string, unknown>,
  [key = "", ...rest]: readonly string[],
  value: unknown,
): Record<string, unknown> {
  if (rest.length === 0) return { ...values, [key]: value };
  const inner = values[key];
  const map = typeof inner === "object" && inner !== null && !Array.isArray(inner) ? inner : {};
  return { ...values, [key]: withPath(map as Record<string, unknown>, rest, value) };
}
