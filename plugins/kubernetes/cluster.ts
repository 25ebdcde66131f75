import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../core/error.ts";
import { type Attempt, explainOutage, explainRefusal, type Refusal } from "../../core/kubernetes/refusal.ts";
import { formatTrouble, type Trouble } from "../../core/kubernetes/trouble.ts";
import { onCluster } from "../../core/kubernetes/words.ts";
import { type Call, Caller, OutageError, RefusedError } from "./call.ts";
import { type KindAddress, knownAddress } from "./kinds.ts";
import { isText, type Login, readLogin } from "./kubeconfig.ts";
import { isObject, type KubernetesObject, kindOf, nameOf, namespaceOf, type ObjectKind, textAt } from "./object.ts";
import type { Settings } from "./settings.ts";

/** An object's place, and its kind. */
export interface ObjectName extends ObjectKind {
  readonly namespace: string;
  readonly name: string;
}

export interface WriteOptions {
  readonly fieldManager: string;
  readonly dryRun: boolean;
}

/** What the server said, and what it warned of. */
export interface Written {
  readonly object: KubernetesObject;
  readonly warnings: readonly string[];
}

/** The API of one cluster, which is opened at the first call: most runs make none. */
export class Cluster {
  private readonly settings: Settings;
  readonly signal: AbortSignal;
  private login: Promise<Login> | undefined;
  private caller: Promise<Caller> | undefined;
  private reached: Promise<void> | undefined;
  private readonly discovered = new Map<string, Promise<ReadonlyMap<string, KindAddress>>>();

  constructor(settings: Settings, signal: AbortSignal) {
    this.settings = settings;
    this.signal = signal;
  }

  /** For objects that name none. */
  async defaultNamespace(): Promise<string> {
    if (this.settings.namespace !== undefined) return this.settings.namespace;
    return (await this.opened()).namespace;
  }

  async opened(): Promise<Login> {
    this.login ??= readLogin(this.settings);
    return await this.login;
  }

  /** Resolves when the server has answered once; every caller waits for the same question. @throws UserError where none does */
  async reach(): Promise<void> {
    this.reached ??= this.send({ method: "GET", path: "/version" }).then(
      () => undefined,
      async (error: unknown) => {
        // Who may not ask for the version may still ask for other things.
        if (error instanceof RefusedError && error.refusal.code === 403) return;
        throw await this.explained(error, {
          what: "log in",
          verb: "get",
          resource: "/version",
          namespace: "",
          name: "",
        });
      },
    );
    await this.reached;
  }

  /** A kind's address; undefined where the cluster has no such kind. */
  async address(kind: ObjectKind): Promise<KindAddress | undefined> {
    const known = knownAddress(kind);
    if (known !== undefined) return known;
    let kinds = this.discovered.get(kind.apiVersion);
    if (kinds === undefined) {
      kinds = this.discover(kind.apiVersion);
      this.discovered.set(kind.apiVersion, kinds);
      // What is not there yet may come with a CustomResourceDefinition of the same run.
      kinds.then(
        (found) => found.has(kind.kind) || this.discovered.delete(kind.apiVersion),
        () => this.discovered.delete(kind.apiVersion),
      );
    }
    return (await kinds).get(kind.kind);
  }

  private async discover(apiVersion: string): Promise<ReadonlyMap<string, KindAddress>> {
    const list = await this.find({ method: "GET", path: apiRoot(apiVersion) });
    const resources = Array.isArray(list?.resources) ? list.resources : [];
    return new Map(
      resources.flatMap((one): [string, KindAddress][] => {
        if (!isObject(one) || String(one.name).includes("/")) return [];
        return [[String(one.kind), { plural: String(one.name), namespaced: one.namespaced === true }]];
      }),
    );
  }

  /** The object, or undefined where there is none, or no such kind. */
  async read(name: ObjectName): Promise<KubernetesObject | undefined> {
    const path = await this.path(name);
    return path === undefined ? undefined : await this.find({ method: "GET", path });
  }

  /** Objects of a namespace. @example list({ apiVersion: "v1", kind: "Pod" }, "shop", { labelSelector: "app=web" }) */
  async list(
    kind: ObjectKind,
    namespace: string,
    query: Readonly<Record<string, string>> = {},
  ): Promise<KubernetesObject[]> {
    const path = await this.path({ ...kind, namespace, name: "" });
    if (path === undefined) return [];
    const items: KubernetesObject[] = [];
    for (let next = ""; ; ) {
      const { object } = await this.json({
        method: "GET",
        path,
        query: next === "" ? query : { ...query, continue: next },
      });
      items.push(...(Array.isArray(object.items) ? object.items : []).filter(isObject));
      next = textAt(object, "metadata", "continue");
      if (next === "") return items;
    }
  }

  async create(object: KubernetesObject, { fieldManager, dryRun }: WriteOptions): Promise<Written> {
    const path = await this.pathOf({ ...kindOf(object), namespace: namespaceOf(object), name: "" });
    return await this.json({ method: "POST", path, query: writeQuery(fieldManager, dryRun), body: object });
  }

  /** Server-side apply. */
  async apply(
    object: KubernetesObject,
    { fieldManager, dryRun, force }: WriteOptions & { readonly force: boolean },
  ): Promise<Written> {
    const path = await this.pathOf({ ...kindOf(object), namespace: namespaceOf(object), name: nameOf(object) });
    const query = { ...writeQuery(fieldManager, dryRun), force: String(force) };
    // JSON is YAML, which an apply is sent as.
    return await this.json({ method: "PATCH", path, query, body: object, contentType: "application/apply-patch+yaml" });
  }

  /** A JSON patch (RFC 6902). */
  async patch(name: ObjectName, operations: readonly unknown[]): Promise<KubernetesObject> {
    const path = await this.pathOf(name);
    const call = { method: "PATCH", path, body: operations, contentType: "application/json-patch+json" } as const;
    return (await this.json(call)).object;
  }

  /**
   * Asks for an object's end; false where there is none.
   * @param preconditions what it has to be still. @throws RefusedError with 409 where it is not
   */
  async delete(
    name: ObjectName,
    propagationPolicy: string,
    preconditions?: { readonly uid: string; readonly resourceVersion: string },
  ): Promise<boolean> {
    const path = await this.path(name);
    if (path === undefined) return false;
    const body = { propagationPolicy, ...(preconditions && { preconditions }) };
    return (await this.find({ method: "DELETE", path, body })) !== undefined;
  }

  /** Last output of a container; empty where there is none to be had. */
  async log(namespace: string, pod: string, container: string, previous: boolean): Promise<string> {
    const caller = await this.opening();
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`;
    const query = { container, tailLines: "20", limitBytes: "16384", ...(previous ? { previous: "true" } : {}) };
    try {
      return (await caller.text({ method: "GET", path, query })).text;
    } catch (error) {
      this.signal.throwIfAborted();
      if (error instanceof RefusedError || error instanceof OutageError) return "";
      throw error;
    }
  }

  /** A failure in words; what is none of the API's stays as it is. */
  async explained(error: unknown, attempt: Omit<Attempt, "login">): Promise<unknown> {
    const told = await this.inWords(error, attempt);
    return told instanceof UserError && told !== error ? new UserError(told.message, this.named(told.fix)) : told;
  }

  private async inWords(error: unknown, attempt: Omit<Attempt, "login">): Promise<unknown> {
    if (error instanceof RefusedError)
      return explainRefusal(error.refusal, { ...attempt, login: await this.whoAsks() });
    if (!(error instanceof OutageError)) return error;
    const { server, context } = await this.opened();
    return explainOutage({ server, context, code: error.code, message: error.message });
  }

  /** A trouble as text; its commands say which cluster they are about. */
  told(trouble: Trouble): string {
    return formatTrouble({ ...trouble, command: this.named(trouble.command) });
  }

  /** A fix whose commands name this cluster, as far as the settings do. */
  named(fix: string): string {
    const { kubeconfig, context } = this.settings;
    return onCluster(fix, {
      kubeconfig: kubeconfig !== undefined && isText(kubeconfig) ? undefined : kubeconfig,
      context,
    });
  }

  private async whoAsks(): Promise<Attempt["login"]> {
    const { user, context, expired } = await this.opened();
    return { user, context, ...(expired === undefined ? {} : { expired }) };
  }

  /** @throws RefusedError with 404 where the cluster has no such kind */
  private async pathOf(name: ObjectName): Promise<string> {
    const path = await this.path(name);
    if (path !== undefined) return path;
    throw new RefusedError(noKind(name));
  }

  private async path({ namespace, name, ...kind }: ObjectName): Promise<string | undefined> {
    const address = await this.address(kind);
    if (address === undefined) return undefined;
    const parts = [
      ...(address.namespaced ? ["namespaces", namespace === "" ? await this.defaultNamespace() : namespace] : []),
      address.plural,
      ...(name === "" ? [] : [name]),
    ];
    return `${apiRoot(kind.apiVersion)}/${parts.map(encodeURIComponent).join("/")}`;
  }

  private async find(call: Call): Promise<KubernetesObject | undefined> {
    try {
      return (await this.json(call)).object;
    } catch (error) {
      if (error instanceof RefusedError && error.refusal.code === 404) return undefined;
      throw error;
    }
  }

  private async json(call: Call): Promise<Written> {
    await this.reach();
    return await this.send(call);
  }

  private async send(call: Call): Promise<Written> {
    return await (await this.opening()).json(call);
  }

  private async opening(): Promise<Caller> {
    this.caller ??= this.opened().then((login) => new Caller(login, this.signal));
    return await this.caller;
  }

  /** Waits; not any more when the run is cancelled. */
  async pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.signal }).catch(() => undefined);
  }
}

/** Marks the refusal that this plugin makes up where discovery has no such kind. */
export const NO_KIND = "NoKindMatch";

function noKind({ apiVersion, kind }: ObjectKind): Refusal {
  const message = `the cluster has no kind ${kind} in ${apiVersion}: its CustomResourceDefinition is missing, or of another version`;
  return { code: 404, reason: NO_KIND, message };
}

function apiRoot(apiVersion: string): string {
  return apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

function writeQuery(fieldManager: string, dryRun: boolean): Record<string, string> {
  return { fieldManager, fieldValidation: "Warn", ...(dryRun ? { dryRun: "All" } : {}) };
}
