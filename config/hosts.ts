import { z } from "zod";
import { CHANNEL } from "../core/channel.ts";
import { isAssets } from "../core/host/check.ts";
import { HOST_ENGINES, NAME } from "../core/host/service.ts";
import { cpus, duration, memory, patience, port, secret, size, user, variable, whole } from "./workload-values.ts";

const name = z.string().regex(NAME, "1 to 40 lower case letters, digits and dashes");

const login = {
  address: z.string().regex(/^[A-Za-z0-9.:-]+$/, "a host name or an IP address"),
  port: port.optional(),
  user: z.string().min(1).optional(),
  /** Pinned: a server with another one is refused. */
  hostKey: z.string().regex(/^(?:ssh|ecdsa|sk)-\S+ [A-Za-z0-9+/=]+/, 'a public key, such as "ssh-ed25519 AAAA…"'),
  privateKey: secret.optional(),
  privateKeyPassword: secret.optional(),
  password: secret.optional(),
  /** Socket of an ssh agent. Default: SSH_AUTH_SOCK. */
  agentSocket: z.string().min(1).optional(),
};

const serverSchema = z
  .object({
    ...login,
    /** Folder below /opt and prefix of all that it gets there. Default: keelson. */
    app: name.optional(),
    /** What runs its containers. Default: docker. */
    engine: z.enum(HOST_ENGINES).optional(),
    /** Images that stay for a rollback. */
    keep: z.int().min(0).max(50).optional(),
    /** Lets in ssh and what services publish, and nothing else. Default: false. */
    firewall: z.boolean().optional(),
    /** The distribution's security updates are installed by themselves. Default: as the host has it. */
    upgrades: z.boolean().optional(),
    /** Where people reach it. Default: its address. */
    url: z.url({ protocol: /^https?$/ }).optional(),
    proxy: z.object(login).strict().optional(),
  })
  .strict();

/** `keelson:hosts`: servers that are reached by ssh, or hosts of the lab by the name that it gives them. */
export const hostsSchema = z.record(name, z.union([z.literal("lab"), serverSchema]));

/** An entry of `keelson:workloads` that runs on hosts. */
export const serviceSchema = z
  .object({
    image: z.string().min(1),
    hosts: z.array(name).min(1),
    channel: z.string().regex(CHANNEL, "a tag of at most 121 characters, such as stable").optional(),
    command: z.array(z.string()).min(1).optional(),
    user: user.optional(),
    port: z
      .object({
        container: port,
        publish: port,
        address: z.string().min(1).optional(),
        protocol: z.enum(["http", "tcp"]).optional(),
      })
      .strict()
      .optional(),
    environment: z.record(variable, z.string()).optional(),
    secrets: z.record(variable, secret).optional(),
    /** Names of `secrets` that are files, /run/secrets/NAME, and no variables. */
    secretFiles: z.array(z.string().min(1)).optional(),
    volumes: z
      .array(
        z
          .object({
            source: z.string().min(1).optional(),
            /** Of `keelson:volumes`, mounted on the host. */
            volume: name.optional(),
            target: z.string().min(1),
            readOnly: z.boolean().optional(),
          })
          .strict()
          .refine(({ source, volume }) => (source === undefined) !== (volume === undefined), {
            error: "one of source and volume",
          }),
      )
      .optional(),
    /** Of `keelson:volumes`: its settings for the tool loader. */
    volume: name.optional(),
    limits: z
      .object({
        memory: memory.optional(),
        cpus: cpus.optional(),
        /** Of which Linux has no more. */
        processes: whole(1, 4_194_304).optional(),
      })
      .strict()
      .optional(),
    health: z
      .object({ port, path: z.string().startsWith("/").optional(), within: patience.optional() })
      .strict()
      .optional(),
    update: z.enum(["beside", "replace"]).optional(),
    drain: duration.optional(),
    stop: duration.optional(),
    watchdog: patience.optional(),
    after: z.array(name).optional(),
    wave: z.int().min(0).max(1000).optional(),
    optional: z.boolean().optional(),
    aliases: z.array(name).optional(),
    engine: z.boolean().optional(),
    schedule: z.string().min(1).optional(),
    gpus: z.array(z.string().min(1)).optional(),
    init: z
      .object({ file: z.string().min(1), command: z.array(z.string()).min(1) })
      .strict()
      .optional(),
    hooks: z
      .object({ before: z.string().startsWith("/").optional(), after: z.string().startsWith("/").optional() })
      .strict()
      .optional(),
    /** Folder of the project: 502.html, 503.html, … and maintenance.html. */
    errorPages: z.string().min(1).optional(),
    assets: z.string().refine(isAssets, "a folder of the image such as /app/public/assets").optional(),
    scratch: z.record(z.string().startsWith("/"), size).optional(),
  })
  .strict();

export type HostsConfig = z.infer<typeof hostsSchema>;
export type ServicesConfig = Readonly<Record<string, z.infer<typeof serviceSchema>>>;

const LOGIN_KEYS = Object.keys(login);

/** The keys of each object above, for hints. */
export const HOST_KEYS: Readonly<Record<string, readonly string[]>> = {
  "hosts.*": Object.keys(serverSchema.shape),
  "hosts.*.proxy": LOGIN_KEYS,
  "workloads.*.port": ["container", "publish", "address", "protocol"],
  "workloads.*.volumes.*": ["source", "volume", "target", "readOnly"],
  "workloads.*.limits": ["memory", "cpus", "processes"],
  "workloads.*.health": ["port", "path", "within"],
  "workloads.*.init": ["file", "command"],
  "workloads.*.hooks": ["before", "after"],
};

/** How many hosts of the lab a stack wants: they are vps1 to vpsN. */
export function wantedLabHosts(hosts: HostsConfig): number {
  return Math.max(
    0,
    ...Object.entries(hosts).map(([name, host]) => (host === "lab" ? Number(/^vps(\d+)$/.exec(name)?.[1] ?? 1) : 0)),
  );
}
