import type { KubernetesObject } from "../object.ts";
import { isObject } from "../object.ts";

/** A release's inputs as helm's flags need them. */
export interface Chart {
  readonly chart: string;
  readonly version: string | undefined;
  readonly repository: string | undefined;
}

export function chartOf(inputs: KubernetesObject): Chart {
  const options = isObject(inputs.repositoryOpts) ? inputs.repositoryOpts : {};
  return { chart: text(inputs.chart) ?? "", version: text(inputs.version), repository: text(options.repo) };
}

/** Where the chart is, as every command of helm takes it. @example ["web", "--repo", "https://charts.acme.io", "--version", "1.2.0"] */
export function chartArguments(inputs: KubernetesObject): string[] {
  const { chart, version, repository } = chartOf(inputs);
  const options = isObject(inputs.repositoryOpts) ? inputs.repositoryOpts : {};
  return [
    chart,
    ...(repository === undefined ? [] : ["--repo", repository]),
    // Beside a digest helm holds a version against the tag of its name, which may have moved.
    ...(version === undefined || /@sha256:/.test(chart) ? [] : ["--version", version]),
    ...flag("--ca-file", options.caFile),
    ...flag("--cert-file", options.certFile),
    ...flag("--key-file", options.keyFile),
    ...(inputs.devel === true ? ["--devel"] : []),
    ...(inputs.verify === true ? ["--verify", ...flag("--keyring", inputs.keyring)] : []),
  ];
}

/** Flags of `helm install`; values come on standard input, so that no list of processes shows them. */
export function installArguments(inputs: KubernetesObject): string[] {
  return [
    ...["install", text(inputs.name) ?? "", ...chartArguments(inputs)],
    ...common(inputs),
    ...switches(inputs, {
      atomic: "--atomic",
      createNamespace: "--create-namespace",
      skipCrds: "--skip-crds",
      disableWebhooks: "--no-hooks",
      replace: "--replace",
    }),
  ];
}

/** Flags of `helm upgrade`. */
export function upgradeArguments(inputs: KubernetesObject): string[] {
  return [
    ...["upgrade", text(inputs.name) ?? "", ...chartArguments(inputs)],
    ...common(inputs),
    ...switches(inputs, {
      atomic: "--atomic",
      cleanupOnFail: "--cleanup-on-fail",
      forceUpdate: "--force",
      resetValues: "--reset-values",
      reuseValues: "--reuse-values",
      disableCRDHooks: "--no-hooks",
    }),
    // Values are the program's, all of them, unless it says otherwise.
    ...(inputs.resetValues === true || inputs.reuseValues === true ? [] : ["--reset-values"]),
    ...(typeof inputs.maxHistory === "number" ? ["--history-max", String(inputs.maxHistory)] : []),
  ];
}

/** Flags of `helm template`: a preview's look at whether the chart renders, without the cluster. */
export function templateArguments(inputs: KubernetesObject): string[] {
  return [
    ...["template", text(inputs.name) ?? "", ...chartArguments(inputs)],
    ...["--namespace", text(inputs.namespace) ?? "default", "--values", "-"],
    ...(inputs.dependencyUpdate === true ? ["--dependency-update"] : []),
  ];
}

/** Flags of `helm uninstall`. */
export function uninstallArguments(inputs: KubernetesObject): string[] {
  const waits = inputs.atomic === true || inputs.skipAwait !== true;
  return [
    ...["uninstall", text(inputs.name) ?? "", "--namespace", text(inputs.namespace) ?? "default", "--ignore-not-found"],
    ...(waits ? ["--wait", "--timeout", `${timeoutOf(inputs)}s`] : []),
  ];
}

/** Seconds; 300 as helm itself. */
export function timeoutOf(inputs: KubernetesObject): number {
  return typeof inputs.timeout === "number" && inputs.timeout > 0 ? inputs.timeout : 300;
}

function common(inputs: KubernetesObject): string[] {
  const isAwaited = inputs.skipAwait !== true;
  return [
    ...["--namespace", text(inputs.namespace) ?? "default", "--values", "-", "--output", "json"],
    ...["--timeout", `${timeoutOf(inputs)}s`],
    ...(isAwaited ? ["--wait"] : []),
    ...(isAwaited && inputs.waitForJobs === true ? ["--wait-for-jobs"] : []),
    ...flag("--description", inputs.description),
    ...flag("--post-renderer", inputs.postrender),
    ...switches(inputs, {
      dependencyUpdate: "--dependency-update",
      disableOpenapiValidation: "--disable-openapi-validation",
      renderSubchartNotes: "--render-subchart-notes",
    }),
  ];
}

function switches(inputs: KubernetesObject, names: Readonly<Record<string, string>>): string[] {
  return Object.entries(names).flatMap(([name, option]) => (inputs[name] === true ? [option] : []));
}

function flag(option: string, value: unknown): string[] {
  const given = text(value);
  return given === undefined ? [] : [option, given];
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
