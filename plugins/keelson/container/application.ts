import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../../core/error.ts";
import type { RegistryClient } from "../../../oci/client.ts";
import { copyImage } from "../../../oci/copy.ts";
import { Api } from "../../cloudflare/api.ts";
import { diff as difference } from "../../common/diff.ts";
import { findFailures, readInputs } from "../../common/validate.ts";
import { encode, UNKNOWN } from "../../common/wire.ts";
import {
  type Applied,
  type Call,
  type Change,
  type Checked,
  type Found,
  type Previous,
  progressOf,
  type ResourceType,
  type Values,
} from "../resource.ts";
import type { Toolbox } from "../toolbox.ts";
import { type Application, Containers, logsOf, sizeOf } from "./cloudflare.ts";
import { type ApplicationInputs, ASIDE, applicationInputs, REPLACES } from "./inputs.ts";

/** Cloudflare's own registry, where an application's image has to be. */
const REGISTRY = "registry.cloudflare.com";
/** Minutes that a login to it lasts: a large image on a slow line, not a day. */
const LOGIN_MINUTES = 60;
/** Seconds between two looks at a rollout. */
const LOOK_EVERY = 5;

/** A registry to push to, and what waiting is: both are another's in tests. */
export interface ApplicationSurroundings {
  readonly openRegistry: (host: string, login: { username: string; password: string }) => Promise<RegistryClient>;
  readonly pause: (seconds: number, signal: AbortSignal) => Promise<void>;
}

const SURROUNDINGS: ApplicationSurroundings = {
  openRegistry: async (host, login) => {
    const { openRegistry } = await import("../../../oci/open.ts");
    return openRegistry(host, { env: process.env, credentials: async () => login });
  },
  pause: async (seconds, signal) => sleep(seconds * 1000, undefined, { signal }),
};

/**
 * `keelson:index:ContainerApplication`: an image in Cloudflare's registry, and the application that runs it behind a Worker's Durable
 * Object class. Another image or size is rolled out step by step, and waited for. A refresh shows what someone changed at Cloudflare.
 */
export class ContainerApplicationType implements ResourceType {
  readonly replaces = REPLACES;
  private readonly toolbox: Pick<Toolbox, "useRegistry">;
  private readonly around: ApplicationSurroundings;

  constructor(toolbox: Pick<Toolbox, "useRegistry">, around: ApplicationSurroundings = SURROUNDINGS) {
    this.toolbox = toolbox;
    this.around = around;
  }

  async check(values: Values): Promise<Checked> {
    return { failures: findFailures(applicationInputs, values) };
  }

  async diff({ inputs }: Previous, values: Values): Promise<readonly Change[]> {
    const plain = (all: Values) =>
      encode(Object.fromEntries(Object.entries(all).filter(([key]) => !ASIDE.includes(key)))).toJavaScript();
    const found = difference(plain(inputs) as never, plain(values) as never);
    return [...found.keys()].map((path) => ({ path, of: "inputs" }));
  }

  async preview(values: Values, previous: Previous | undefined): Promise<Readonly<Record<string, unknown>>> {
    const { accountId, name, digest } = values;
    const known = [accountId, name, digest].every((value) => typeof value === "string");
    return {
      applicationId: previous?.state.applicationId ?? UNKNOWN,
      image: known ? imageOf({ accountId, name, digest } as ApplicationInputs) : UNKNOWN,
    };
  }

  async apply(values: Values, previous: Previous | undefined, call: Call): Promise<Applied> {
    const inputs = readInputs(applicationInputs, values);
    const containers = this.containers(inputs, call);
    const image = imageOf(inputs);
    await this.push(inputs, containers, call);
    const namespace = await containers.namespace(inputs.scriptName, inputs.className);
    const before = await this.current(containers, inputs, previous);
    if (before === undefined) {
      const { id } = await containers.create(inputs, image, namespace);
      return { id, state: { applicationId: id, image } };
    }
    refuseOther(before, inputs, namespace);
    if (!sameLimits(before, inputs)) await containers.edit(before.id, inputs);
    if (!sameConfiguration(before, inputs, image)) {
      await containers.rollOut(before, inputs, image);
      await this.rolledOut(containers, before, inputs, image, call);
    }
    return { id: before.id, state: { applicationId: before.id, image } };
  }

  async read(id: string, previous: Previous | undefined, call: Call): Promise<Found | undefined> {
    if (previous === undefined)
      throw new UserError(
        `container application ${id} can't be imported: the registry that its image comes from is not known there`,
        "let the program make it: it takes over the one of that name behind the same Worker",
      );
    const inputs = readInputs(applicationInputs, previous.inputs);
    const found = await this.containers(inputs, call).get(id);
    if (found === undefined) return undefined;
    const { image } = found.configuration;
    const digest = /@(sha256:[0-9a-f]{64})$/.exec(image)?.[1];
    return {
      id,
      // A value that Cloudflare doesn't say is as it was asked for.
      inputs: {
        ...previous.inputs,
        digest: digest ?? `not by digest: ${image}`,
        instanceType: sizeOf(found) ?? inputs.instanceType,
        maxInstances: found.max_instances ?? inputs.maxInstances,
        gracePeriod: found.rollout_active_grace_period ?? inputs.gracePeriod,
        logs: logsOf(found) ?? inputs.logs,
      },
      state: { applicationId: id, image },
    };
  }

  async delete(id: string, inputs: Values, call: Call): Promise<void> {
    await this.containers(readInputs(applicationInputs, inputs), call).delete(id);
  }

  private containers({ accountId, apiToken, baseUrl }: ApplicationInputs, call: Call): Containers {
    const settings = {
      ...(apiToken === undefined ? {} : { apiToken }),
      ...(baseUrl === undefined ? {} : { baseUrl }),
    };
    return new Containers(new Api(settings, call.signal), accountId, (s) => this.around.pause(s, call.signal));
  }

  /** Copies the image; what is there already moves no bytes, and a copy that broke off goes on. */
  private async push(inputs: ApplicationInputs, containers: Containers, call: Call): Promise<void> {
    const { registry, repository, digest, accountId, name } = inputs;
    const source = await this.toolbox.useRegistry(
      { host: registry.host, ...defined({ username: registry.username, password: registry.password }) },
      progressOf(call),
    );
    const { host, ...login } = await containers.login(LOGIN_MINUTES);
    const client = await this.around.openRegistry(host, login);
    try {
      await copyImage({
        from: { client: source.client, repository },
        to: { client, repository: `${accountId}/${name}` },
        reference: digest,
        // What no tag leads to may be cleaned away.
        tags: [digest.replace("sha256:", "h-").slice(0, 34)],
        onProgress: ({ blobs, done, sent }) =>
          call.status(`pushing to Cloudflare: ${done} of ${blobs} layers, ${Math.round(sent / 1e6)} MB`),
      });
    } finally {
      client.close();
    }
  }

  private async current(
    containers: Containers,
    { name }: ApplicationInputs,
    previous: Previous | undefined,
  ): Promise<Application | undefined> {
    const id = previous?.state.applicationId;
    const known = typeof id === "string" ? await containers.get(id) : undefined;
    return known ?? (await containers.named(name));
  }

  private async rolledOut(
    containers: Containers,
    before: Application,
    { name, within }: ApplicationInputs,
    image: string,
    call: Call,
  ): Promise<void> {
    let begun = false;
    for (let waited = 0; ; waited += LOOK_EVERY) {
      const now = await containers.get(before.id);
      if (now === undefined)
        throw new UserError(`container application ${name} was deleted meanwhile`, "run this again");
      const active = now.active_rollout_id ?? undefined;
      const done = active === undefined || active === (before.active_rollout_id ?? undefined);
      begun ||= !done;
      if (done && now.configuration.image === image) return;
      const errors = (now.health?.errors ?? []).filter(({ event }) => /Error/.test(event.type));
      const why = [...new Set(errors.map(({ event }) => event.message))].slice(0, 3).map((m) => `\n  ${m}`);
      if (begun && done)
        throw new UserError(
          `Cloudflare took the rollout of ${name} back: it runs ${now.configuration.image}${why.join("")}`,
          "mend the image, then run this again",
        );
      if (waited >= within)
        throw new UserError(
          `the rollout of ${name} is not over after ${within} s${why.join("")}`,
          "look at it in Cloudflare's dashboard, then run this again",
        );
      call.status(`rolling out to Cloudflare${why.length > 0 ? `; it says: ${why[0]?.trim()}` : ""}`);
      await this.around.pause(LOOK_EVERY, call.signal);
    }
  }
}

/** As Cloudflare is told of it. @example "registry.cloudflare.com/0123…/gateway@sha256:…" */
function imageOf({ accountId, name, digest }: Pick<ApplicationInputs, "accountId" | "name" | "digest">): string {
  return `${REGISTRY}/${accountId}/${name}@${digest}`;
}

function refuseOther(found: Application, { name, scriptName, className }: ApplicationInputs, namespace: string): void {
  if (found.durable_objects?.namespace_id === namespace) return;
  throw new UserError(
    `the account has a container application ${name} that stands behind another class than ${className} of ${scriptName}`,
    "name this one otherwise, or delete the other",
  );
}

function sameLimits(found: Application, { maxInstances, gracePeriod }: ApplicationInputs): boolean {
  return found.max_instances === maxInstances && (found.rollout_active_grace_period ?? 0) === gracePeriod;
}

function sameConfiguration(found: Application, { instanceType, logs }: ApplicationInputs, image: string): boolean {
  return found.configuration.image === image && sizeOf(found) === instanceType && (logsOf(found) ?? false) === logs;
}

function defined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
