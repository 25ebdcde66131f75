import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import type { KubeConfig } from "@kubernetes/client-node";
import { parse } from "yaml";
import { z } from "zod";
import { UserError } from "../../core/error.ts";
import { expandHome } from "../../core/home-path.ts";
import type { Values } from "../common/values.ts";
import type { Settings } from "./settings.ts";

/** Where the API server is, and who asks it. */
export interface Login {
  readonly config: KubeConfig;
  readonly server: string;
  readonly context: string;
  readonly user: string;
  /** For objects that name none. */
  readonly namespace: string;
  /** The day on which the user's client certificate ended, where it has. */
  readonly expired: string | undefined;
}

/**
 * Reads a kubeconfig with the official client's rules and ways to log in.
 * @throws UserError where there is none, or one that does not say where to go
 */
export async function readLogin(settings: Settings): Promise<Login> {
  // Not of the package's main module, which would load a model of every kind.
  const { KubeConfig } = await import("@kubernetes/client-node/dist/config.js");
  const config: KubeConfig = new KubeConfig();
  const origin = load(config, settings.kubeconfig);
  if (settings.context !== undefined) config.setCurrentContext(settings.context);
  const context = config.getCurrentContext();
  const found = config.getContextObject(context);
  if (found === null) throw noContext(config, context, origin);
  if (settings.cluster !== undefined) {
    const others = config.contexts.filter(({ name }) => name !== context);
    config.contexts = [...others, { ...found, cluster: settings.cluster }];
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null || !cluster.server)
    throw new UserError(
      `${origin}: context ${context} is of cluster ${settings.cluster ?? found.cluster}, which has no server there`,
      "correct the kubeconfig: kubectl config view",
    );
  return {
    config,
    server: cluster.server,
    context,
    user: found.user,
    namespace: settings.namespace ?? found.namespace ?? "default",
    expired: expiry(config),
  };
}

function load(config: KubeConfig, pathOrText: string | undefined): string {
  try {
    if (pathOrText === undefined) {
      config.loadFromDefault();
      return "the kubeconfig";
    }
    const path = expandHome(pathOrText, homedir());
    if (isText(pathOrText)) {
      config.loadFromString(pathOrText);
      return "the kubeconfig";
    }
    if (!existsSync(path))
      throw new UserError(`no kubeconfig at ${path}`, "set kubernetes:kubeconfig to a file, or to a kubeconfig's text");
    config.loadFromFile(path);
    return path;
  } catch (error) {
    if (error instanceof UserError) throw error;
    const where = pathOrText === undefined || isText(pathOrText) ? "the kubeconfig" : pathOrText;
    throw new UserError(
      `${where} can't be read: ${(error as Error).message.split("\n")[0]}`,
      "correct it; kubectl config view shows what of it is understood",
    );
  }
}

/** A kubeconfig's text, in YAML or JSON, is no path. */
export function isText(pathOrText: string): boolean {
  return /[\n{]/.test(pathOrText);
}

function noContext(config: KubeConfig, context: string, origin: string): UserError {
  const names = config.getContexts().map(({ name }) => name);
  const has = names.length === 0 ? "it has none" : `it has ${names.join(", ")}`;
  return context === "" || context === undefined
    ? new UserError(`${origin} says no current context; ${has}`, "pulumi config set kubernetes:context NAME")
    : new UserError(`${origin} has no context ${context}; ${has}`, "pulumi config set kubernetes:context NAME");
}

/** The day that a client certificate ended; undefined where there is none, or it holds. */
function expiry(config: KubeConfig): string | undefined {
  const user = config.getCurrentUser();
  try {
    const pem =
      user?.certData !== undefined
        ? Buffer.from(user.certData, "base64")
        : user?.certFile !== undefined
          ? readFileSync(user.certFile)
          : undefined;
    if (pem === undefined) return undefined;
    const { validToDate } = new X509Certificate(pem);
    return validToDate.getTime() < Date.now() ? validToDate.toISOString().slice(0, 10) : undefined;
  } catch {
    return undefined; // what is no certificate is told by the connection
  }
}

/** The cluster that a provider's config leads to, as its kubeconfig describes it; undefined where that can't be told. */
export function activeCluster(values: Values): unknown {
  const { kubeconfig, context, cluster } = values;
  if (typeof kubeconfig !== "string" || kubeconfig === "") return undefined;
  try {
    const text = isText(kubeconfig) ? kubeconfig : readFileSync(expandHome(kubeconfig, homedir()), "utf8");
    const config = clusterSchema.parse(parse(text));
    const wanted = typeof context === "string" && context !== "" ? context : config["current-context"];
    const name =
      typeof cluster === "string" && cluster !== ""
        ? cluster
        : config.contexts.find((one) => one.name === wanted)?.context.cluster;
    return config.clusters.find((one) => one.name === name)?.cluster;
  } catch {
    return undefined; // told when it is used
  }
}

const clusterSchema = z.object({
  "current-context": z.string().nullish(),
  contexts: z.array(z.object({ name: z.string(), context: z.object({ cluster: z.string() }) })).default([]),
  clusters: z.array(z.object({ name: z.string(), cluster: z.record(z.string(), z.unknown()) })).default([]),
});
