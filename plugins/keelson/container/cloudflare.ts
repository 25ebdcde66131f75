import type Cloudflare from "cloudflare";
import { z } from "zod";
import { instanceTypeOf } from "../../../core/cloudflare/instance-types.ts";
import { UserError } from "../../../core/error.ts";
import type { Api } from "../../cloudflare/api.ts";
import type { ApplicationInputs, WorkerClassInputs } from "./inputs.ts";

/** A Worker's class that was deployed a moment ago has its namespace only after some time: seconds, and between two looks. */
const SETTLING = { within: 60, every: 2 };

const observabilitySchema = z.object({ logs: z.object({ enabled: z.boolean().optional() }).optional() });

/** An application as Cloudflare has it, as far as keelson says anything of it. */
const applicationSchema = z.object({
  id: z.string(),
  name: z.string(),
  version: z.number().optional(),
  max_instances: z.number().optional(),
  rollout_active_grace_period: z.number().optional(),
  active_rollout_id: z.string().nullish(),
  configuration: z.object({
    image: z.string(),
    instance_type: z.string().optional(),
    vcpu: z.number().optional(),
    memory_mib: z.number().optional(),
    disk: z.object({ size_mb: z.number().optional() }).optional(),
    observability: observabilitySchema.optional(),
  }),
  /** Either here or in the configuration. */
  observability: observabilitySchema.optional(),
  durable_objects: z.object({ namespace_id: z.string() }).optional(),
  health: z
    .object({ errors: z.array(z.object({ event: z.object({ message: z.string(), type: z.string() }) })).optional() })
    .optional(),
});
export type Application = z.infer<typeof applicationSchema>;

/** The size of an application's instances; undefined where Cloudflare tells none that has a name. */
export function sizeOf({ configuration }: Application): string | undefined {
  const { instance_type: named, vcpu, memory_mib: memoryMib, disk } = configuration;
  return named ?? instanceTypeOf({ vcpu, memoryMib, diskMb: disk?.size_mb });
}

/** Whether its logs are kept; undefined where Cloudflare doesn't tell. */
export function logsOf({ configuration, observability }: Application): boolean | undefined {
  return (observability ?? configuration.observability)?.logs?.enabled;
}

type Wish = Pick<
  ApplicationInputs,
  "accountId" | "name" | "instanceType" | "maxInstances" | "logs" | "gracePeriod" | "steps"
>;

/** A Worker that has its class, and nothing to do yet. */
const stub = (className: string) => `import { DurableObject } from "cloudflare:workers";
export class ${className} extends DurableObject {}
export default { fetch: () => new Response("not deployed yet", { status: 503 }) };
`;

/**
 * Cloudflare's container applications, their rollouts, the login to its registry and a Worker's class, by its API: its Pulumi provider
 * has no resource for them, or none that works. Everything that keelson asks of `/containers` is here.
 */
export class Containers {
  private readonly api: Api;
  private readonly account: string;
  private readonly pause: (seconds: number) => Promise<void>;

  constructor(api: Api, account: string, pause: (seconds: number) => Promise<void>) {
    this.api = api;
    this.account = account;
    this.pause = pause;
  }

  /** A login to the account's registry that ends by itself. */
  async login(minutes: number): Promise<{ host: string; username: string; password: string }> {
    const found = await this.api.repeatable("log in to Cloudflare's registry", (client, options) =>
      client.containers.registries.credentials.generate(
        "registry.cloudflare.com",
        { account_id: this.account, expiration_minutes: minutes, permissions: ["pull", "push"] },
        options,
      ),
    );
    return { host: found.registry_host, username: found.username, password: found.password };
  }

  /** The namespace of a Worker's class, if there is one now. */
  async foundNamespace(script: string, className: string): Promise<string | undefined> {
    return this.api.repeatable(`list Durable Object namespaces`, async (client, options) => {
      for await (const one of client.durableObjects.namespaces.list({ account_id: this.account }, options))
        if (one.script === script && one.class === className) return one.id;
      return undefined;
    });
  }

  /**
   * Makes a Worker's class by a version of its own, deployed at once. Cloudflare applies a migration with the deployment, refuses a
   * version that is bound to a class which no deployment has made, and refuses the same migration a second time
   * (developers.cloudflare.com/workers/platform/infrastructure-as-code, "Considerations with Durable Objects").
   */
  async makeClass({ workerId, scriptName, className, compatibilityDate }: WorkerClassInputs): Promise<void> {
    const module = Buffer.from(stub(className)).toString("base64");
    const params = {
      account_id: this.account,
      deploy: true,
      compatibility_date: compatibilityDate,
      main_module: "class.mjs",
      modules: [{ name: "class.mjs", content_type: "application/javascript+module", content_base64: module }],
      containers: [{ class_name: className }],
      migrations: { new_tag: "v1", new_sqlite_classes: [className] },
    };
    await this.api.once(
      `make the class ${className} of Worker ${scriptName}`,
      async (client, options) => {
        await client.workers.beta.workers.versions.create(workerId, params, options);
        return true;
      },
      async () => ((await this.foundNamespace(scriptName, className)) === undefined ? undefined : true),
    );
  }

  /** The namespace of a Worker's class. @throws UserError where it doesn't come to be. */
  async namespace(script: string, className: string): Promise<string> {
    for (let waited = 0; ; waited += SETTLING.every) {
      const found = await this.foundNamespace(script, className);
      if (found !== undefined) return found;
      if (waited >= SETTLING.within)
        throw new UserError(
          `the Worker ${script} has no Durable Object class ${className} after ${SETTLING.within} s`,
          "deploy a version of it that has the class, with a migration that makes it (newSqliteClasses)",
        );
      await this.pause(SETTLING.every);
    }
  }

  /** By its id; undefined where it is gone. */
  async get(id: string): Promise<Application | undefined> {
    const found = await this.api.find(`read container application ${id}`, (client, options) =>
      client.containers.applications.get(id, { account_id: this.account }, options),
    );
    return found && applicationSchema.parse(found);
  }

  /** By its name, which Cloudflare doesn't keep unique: the account's first of that name. */
  async named(name: string): Promise<Application | undefined> {
    return this.api.repeatable("list container applications", (client, options) =>
      findNamed(client, this.account, name, options),
    );
  }

  async create(wish: Wish, image: string, namespace: string): Promise<Application> {
    const params = {
      account_id: this.account,
      name: wish.name,
      scheduling_policy: "default" as const,
      // Its Worker starts instances, at most that many.
      instances: 0,
      max_instances: wish.maxInstances,
      configuration: configurationOf(wish, image),
      durable_objects: { namespace_id: namespace },
      rollout_active_grace_period: wish.gracePeriod,
    };
    return this.api.once(
      `make container application ${wish.name}`,
      async (client, options) => applicationSchema.parse(await client.containers.applications.create(params, options)),
      async () => this.named(wish.name),
    );
  }

  /** Limits and grace period: no instance is replaced for them. */
  async edit(id: string, wish: Wish): Promise<void> {
    await this.api.repeatable(`change container application ${wish.name}`, (client, options) =>
      client.containers.applications.edit(
        id,
        {
          account_id: this.account,
          max_instances: wish.maxInstances,
          rollout_active_grace_period: wish.gracePeriod,
        },
        options,
      ),
    );
  }

  /** Replaces the instances, step by step, by ones of another image or size. */
  async rollOut(before: Application, wish: Wish, image: string): Promise<void> {
    const params = {
      account_id: this.account,
      description: `keelson: ${image.slice(image.lastIndexOf("@") + 1)}`,
      strategy: "rolling" as const,
      kind: "full_auto" as const,
      target_configuration: configurationOf(wish, image),
      steps: wish.steps.map((percentage) => ({ description: `${percentage} %`, step_size: { percentage } })),
    };
    await this.api.once(
      `roll out container application ${wish.name}`,
      async (client, options) => {
        await client.containers.applications.rollouts.create(before.id, params, options);
        return true;
      },
      async () => {
        const now = await this.get(before.id);
        const begun = now?.active_rollout_id != null && now.active_rollout_id !== before.active_rollout_id;
        return begun || now?.configuration.image === image ? true : undefined;
      },
    );
  }

  /** One that is gone already is fine. */
  async delete(id: string): Promise<void> {
    await this.api.find(`delete container application ${id}`, (client, options) =>
      client.containers.applications.delete(id, { account_id: this.account }, options),
    );
  }
}

async function findNamed(
  client: Cloudflare,
  account: string,
  name: string,
  options: object,
): Promise<Application | undefined> {
  // The filter is by prefix or not at all, as the API's version has it.
  for await (const one of client.containers.applications.list({ account_id: account, name }, options))
    if (one.name === name) return applicationSchema.parse(one);
  return undefined;
}

function configurationOf({ instanceType, logs }: Wish, image: string) {
  return { image, instance_type: instanceType, observability: { logs: { enabled: logs } } };
}
