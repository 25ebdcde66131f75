import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ArtifactLock } from "../../core/artifact.ts";
import type { BasesLock } from "../../core/base.ts";
import { UserError } from "../../core/error.ts";
import { sha256 } from "../../core/hash.ts";
import { RegistryClient } from "../../oci/client.ts";
import { dockerCredentials } from "../../oci/credentials.ts";
import type { Builder, BuilderSetting } from "../../toolchain/builder.ts";
import { home, prepareHome } from "../../toolchain/home.ts";
import { scratch } from "../../toolchain/leftovers.ts";
import { acquireLock, describeHolder } from "../../toolchain/lock.mjs";
import { readServicesState } from "../../toolchain/services/state.ts";
import type { RegistryInputs } from "./image/inputs.ts";
import { writeLogin } from "./login.ts";
import type { OpenRegistry, R2Toolbox, Toolbox } from "./toolbox.ts";

/** The host that stands for the registry which the toolchain runs. */
const EMBEDDED = "embedded";

/**
 * What the project's machine offers. Most runs find nothing to do: what only a build needs is imported when one comes.
 * @param root the project's directory
 */
export function machine(root: string): Toolbox & R2Toolbox {
  const looks = new Remembered<OpenRegistry | undefined>();
  const registries = new Remembered<OpenRegistry>();
  const builders = new Remembered<Builder>();
  const bases = new Remembered<string>();
  return {
    lookAtRegistry: (inputs) => looks.get(JSON.stringify(inputs), () => lookAtRegistry(inputs)),
    useRegistry: (inputs, progress) =>
      registries.get(JSON.stringify(inputs), async () => {
        if (inputs.host !== EMBEDDED) return openRemote(inputs);
        const { ensureRegistry } = await import("../../toolchain/services/index.ts");
        const { host, ca } = await ensureRegistry(progress);
        return openEmbedded(host, ca);
      }),
    async useBuilder(inputs, registry, work, progress) {
      const [{ resolveBuilder, silentNodes }, { ensureTool }] = await Promise.all([
        import("../../toolchain/builder.ts"),
        import("../../toolchain/tools.ts"),
      ]);
      const setting = inputs.builder as BuilderSetting;
      const builder = await builders.get(JSON.stringify(setting), () => resolveBuilder(setting, progress));
      const { path } = await ensureTool("buildx", progress);
      const login = await writeLogin(inputs.registry, registry.host, join(work, "docker"));
      return {
        buildx: { path, env: { ...builder.env, ...login } },
        async builderOf(name, platform) {
          const node = builder.nodes.find((n) => n.name === name);
          if (node === undefined)
            throw new UserError(
              `node ${name} is none of keelson:builder (${builder.nodes.map((n) => n.name).join(", ")})`,
              "run the preview again, so that the plan knows the nodes as they are",
            );
          if ((await silentNodes([node])).length > 0)
            throw new UserError(
              `node ${name} does not answer at ${node.address}`,
              "start it, or take it out of keelson:builder",
            );
          if (![...node.native, ...node.emulated].includes(platform))
            throw new UserError(
              [`node ${name} runs no ${platform}`, ...builder.notices].join("\n  "),
              "add a node for it to keelson:builder, or install QEMU's user emulation (`keelson doctor`)",
            );
          return node.builder;
        },
      };
    },
    resolveBase: (base, registry, prefix, signal, progress) =>
      bases.get(`${registry.host}/${prefix} ${base.origin} ${base.name}`, async () => {
        const locked = (await readBases(root)).bases.find((b) => b.name === base.name);
        if (locked === undefined) throw new UserError(`images/bases.lock.json has no ${base.name}`, "run it again");
        if (base.origin === "upstream")
          return locked.digest === undefined ? base.name : `${base.name}@${locked.digest}`;
        const { ensureBase } = await import("../../toolchain/bases.ts");
        const { repository, digest } = await ensureBase(locked, registry.client, { prefix, signal, progress });
        return `${registry.host}/${repository}@${digest}`;
      }),
    async stageLock({ file, text }, platform, folder, wheelhouse, signal) {
      const [{ openStore, stageLock }, { machineSources }, { lineOfArtifact }] = await Promise.all([
        import("../../toolchain/store.ts"),
        import("../../toolchain/store/sources.ts"),
        import("../../core/artifact-line.ts"),
      ]);
      const sources =
        wheelhouse === undefined
          ? machineSources()
          : (await import("../../toolchain/store/wheelhouse.ts")).wheelhouseSources(wheelhouse, machineSources());
      const lock = JSON.parse(text) as ArtifactLock;
      await stageLock(lock, platform, folder, openStore(prepareHome().store, sources), {
        signal,
        placeOf: (artifact) => `${file}:${lineOfArtifact(text, artifact)}`,
      });
    },
    async stageWheels(lock, platform, folder, volume, signal) {
      const [{ openStore }, { stageWheels }] = await Promise.all([
        import("../../toolchain/store.ts"),
        import("../../toolchain/python/wheels.ts"),
      ]);
      await stageWheels(lock, platform, folder, volume, openStore(prepareHome().store), signal);
    },
    async readImage(client, repository, reference) {
      const [{ readImage }, { ScanCache }] = await Promise.all([
        import("../../oci/analyze.ts"),
        import("../../oci/cache.ts"),
      ]);
      const cache = new ScanCache(join(prepareHome().root, "scans"));
      const [platform] = await readImage({ client, repository, reference, cache });
      if (platform === undefined) throw new Error(`${repository}@${reference} has no platform`);
      return platform;
    },
    async busybox(platform, signal) {
      const { ensureBusybox } = await import("../../toolchain/busybox.ts");
      return ensureBusybox(platform, { signal });
    },
    async makeWorkFolder() {
      const folder = await scratch(prepareHome().tmp, "image");
      await chmod(folder, 0o700);
      return folder;
    },
    async oneAtATime(key, { signal, status }, work) {
      const file = join(prepareHome().locks, `image-${sha256(key).slice(0, 16)}.lock`);
      const unlock = await acquireLock(file, {
        what: `building ${key.replace(/:[0-9a-f]{64}$/, "")}`,
        signal,
        onWait: (holder) => status(`waiting for ${describeHolder(holder)}`),
      }).catch((error) => {
        signal.throwIfAborted();
        throw error;
      });
      try {
        return await work();
      } finally {
        unlock();
      }
    },
    async record(record) {
      try {
        const { openHistory } = await import("../../toolchain/history.ts");
        using history = openHistory(root);
        history.record(record);
      } catch {
        // The history is a convenience: a read-only checkout builds as well.
      }
    },
    async lookAtR2(bucket) {
      const { lastKnownR2, r2Serves } = await import("../../toolchain/services/r2.ts");
      const { services } = home();
      return (await r2Serves(services, bucket)) ? lastKnownR2(services) : undefined;
    },
    async useR2(bucket, progress) {
      const { ensureR2 } = await import("../../toolchain/services/r2.ts");
      return ensureR2([bucket], progress);
    },
  };
}

async function lookAtRegistry(inputs: RegistryInputs): Promise<OpenRegistry | undefined> {
  if (inputs.host !== EMBEDDED) return openRemote(inputs);
  const state = await readServicesState(home().services);
  if (state === undefined) return undefined;
  const open = await openEmbedded(state.registry.host, state.registry.ca, []);
  return open.client.ping().then(
    () => open,
    () => undefined,
  );
}

async function openRemote(inputs: RegistryInputs): Promise<OpenRegistry> {
  const { host, username, password } = inputs;
  const credentials =
    username !== undefined && password !== undefined
      ? { username, password }
      : () => dockerCredentials(host, process.env);
  return { client: new RegistryClient({ host, env: process.env, credentials }), host };
}

async function openEmbedded(host: string, ca: string, backoff?: readonly number[]): Promise<OpenRegistry> {
  const pem = await readFile(ca, "utf8");
  return { client: new RegistryClient({ host, ca: pem, ...(backoff === undefined ? {} : { backoff }) }), host };
}

async function readBases(root: string): Promise<BasesLock> {
  const file = join(root, "images", "bases.lock.json");
  try {
    return JSON.parse(await readFile(file, "utf8")) as BasesLock;
  } catch (cause) {
    throw new UserError(`${file} can't be read`, "run `npm run keelson -- bases update`", { cause });
  }
}

/** Work that is done once for a key, whoever asks; done again after a failure, and where it found nothing. */
class Remembered<T> {
  private readonly known = new Map<string, Promise<T>>();

  get(key: string, make: () => Promise<T>): Promise<T> {
    const promise = this.known.get(key) ?? make();
    this.known.set(key, promise);
    const forget = () => this.known.delete(key);
    promise.then((found) => found ?? forget(), forget);
    return promise;
  }
}
