import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { type Fault, failure, type Seen } from "./double.ts";

type Json = Record<string, unknown>;

/** The part of Cloudflare's API for containers, in memory: lists in pages of two, namespaces that come late, rollouts that take a while. */
export interface ContainersDouble {
  readonly url: string;
  readonly account: string;
  readonly token: string;
  readonly seen: Seen[];
  readonly faults: (Fault | undefined)[];
  readonly applications: Map<string, Json>;
  readonly namespaces: Json[];
  /** Workers' names by their ids. */
  readonly workers: Map<string, string>;
  /** How often the lists don't have what was just deployed. */
  settling: number;
  /** How often a rollout is seen at work before it is over. */
  looks: number;
  /** Whether rollouts are taken back at their end. */
  reverts: boolean;
  /** What instances say. */
  errors: Json[];
  close(): Promise<void>;
}

/** @param registry what a login says is the host of the account's registry */
export async function startContainersDouble(registry: string): Promise<ContainersDouble> {
  const [account, token] = ["0123456789abcdef0123456789abcdef", "canary-api-token"];
  const double = {
    account,
    token,
    seen: [] as Seen[],
    faults: [] as (Fault | undefined)[],
    applications: new Map<string, Json>(),
    namespaces: [] as Json[],
    workers: new Map<string, string>(),
    settling: 0,
    looks: 1,
    reverts: false,
    errors: [] as Json[],
  };
  let [left, rolledOut] = [0, 0];
  const view = (application: Json): Json => {
    const { target, ...shown } = application;
    if (target === undefined) return shown;
    if (left-- > 0) return { ...shown, health: { errors: double.errors.map((event) => ({ event })) } };
    const { active_rollout_id: _, ...over } = shown;
    const done: Json = double.reverts ? over : { ...over, configuration: target, version: Number(over.version) + 1 };
    double.applications.set(String(done.id), done);
    return { ...done, health: { errors: double.errors.map((event) => ({ event })) } };
  };
  /** A migration is applied with the deployment, once; what a version is bound to must be there before. */
  const versionOf = (worker: string, deploy: boolean, body: Json): [number, unknown] => {
    const script = double.workers.get(worker);
    if (script === undefined) return [404, failure(10007, "This Worker does not exist on your account.")];
    const has = (name: unknown) => double.namespaces.some((n) => n.script === script && n.class === name);
    const bound = ((body.bindings ?? []) as Json[]).filter((b) => b.type === "durable_object_namespace");
    if (bound.some((b) => !has(b.class_name)))
      return [400, failure(10061, "Cannot create binding for class which does not exist.")];
    const { new_tag: tag, new_sqlite_classes: classes = [] } = (body.migrations ?? {}) as Record<string, string[]>;
    if (tag !== undefined && double.namespaces.some((n) => n.script === script))
      return [412, failure(10079, `Migration tag precondition failed; current tag is '${tag}'`)];
    if (deploy)
      for (const name of classes)
        double.namespaces.push({ id: `ns-${double.namespaces.length + 1}`, script, class: name });
    return [200, success({ id: "version-1", number: 1 })];
  };
  const answerOf = (method: string, url: URL, body: Json): [number, unknown] => {
    const path = url.pathname.replace(`/accounts/${account}/`, "");
    if (path === "containers/registries/registry.cloudflare.com/credentials")
      return [200, success({ account_id: account, registry_host: registry, username: "v1", password: "canary-login" })];
    if (path === "workers/durable_objects/namespaces") {
      const page = Number(url.searchParams.get("page") ?? 1);
      const all = double.settling-- > 0 ? [] : double.namespaces;
      const info = {
        page,
        per_page: 2,
        count: all.length,
        total_count: all.length,
        total_pages: Math.ceil(all.length / 2),
      };
      return [200, { ...success(all.slice((page - 1) * 2, page * 2)), result_info: info }];
    }
    const [, worker] = /^workers\/workers\/([^/]+)\/versions$/.exec(path) ?? [];
    if (worker !== undefined) return versionOf(worker, url.searchParams.get("deploy") === "true", body);
    const [, id, rollouts] = /^containers\/applications(?:\/([^/]+)(\/rollouts)?)?$/.exec(path) ?? [];
    if (!path.startsWith("containers/applications")) return [404, failure(7003, `Could not route to ${path}`)];
    if (id === undefined && method === "GET") {
      const from = Number(url.searchParams.get("page_token") ?? 0);
      const all = [...double.applications.values()];
      const next = from + 2 < all.length ? { next_page_token: String(from + 2) } : {};
      return [200, { ...success(all.slice(from, from + 2).map(view)), result_info: next }];
    }
    if (id === undefined) {
      const made = { ...body, id: `app-${double.applications.size + 1}`, version: 1 };
      double.applications.set(made.id, made);
      return [200, success(made)];
    }
    const application = double.applications.get(id);
    if (application === undefined) return [404, failure(1003, "Application not found")];
    if (rollouts !== undefined) {
      double.applications.set(id, {
        ...application,
        active_rollout_id: `rollout-${++rolledOut}`,
        target: body.target_configuration,
      });
      left = double.looks;
      return [200, success({ id: `rollout-${rolledOut}`, status: "pending" })];
    }
    if (method === "DELETE") double.applications.delete(id);
    if (method === "PATCH") double.applications.set(id, { ...application, ...body });
    return [200, success(method === "GET" ? view(application) : {})];
  };
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "/", "http://double");
    const body = request.method === "GET" ? {} : ((await json(request).catch(() => ({}))) as Json);
    double.seen.push({ line: `${request.method} ${url.pathname}${url.search}`, jurisdiction: undefined, body });
    const fault = double.faults.shift();
    if (fault === "refuse") return void request.socket.destroy();
    if (typeof fault === "object") {
      response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
      return void response.end(JSON.stringify(fault.body ?? failure(0, "")));
    }
    const allowed = request.headers.authorization === `Bearer ${token}`;
    const [status, result] = allowed
      ? answerOf(request.method ?? "", url, body)
      : [401, failure(10000, "Authentication error")];
    if (fault === "cut") return void request.socket.destroy();
    response.writeHead(status as number, { "content-type": "application/json" }).end(JSON.stringify(result));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(double, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

function success(result: unknown) {
  return { success: true, errors: [], messages: [], result };
}
