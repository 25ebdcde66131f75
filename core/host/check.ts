import { CHANNEL } from "../channel.ts";
import { UserError } from "../error.ts";
import { pageFaults } from "./pages.ts";
import { type HostBundle, type HostService, isHttp, NAME, updateOf } from "./service.ts";

/** @throws UserError with everything that keeps the services from running together. */
export function checkBundle({ app, services, engine = "docker" }: HostBundle): void {
  const names = services.map((s) => s.name);
  const waves = new Map(services.map((s) => [s.name, s.wave ?? 0]));
  const wrong = [
    ...(NAME.test(app) ? [] : [`the application's name is ${JSON.stringify(app)}: use 1 to 40 of a-z, 0-9 and -`]),
    ...duplicates(names).map((name) => `${name} stands there twice`),
    ...duplicates(services.flatMap((s) => s.port?.publish ?? [])).map((port) => `port ${port} is published twice`),
    ...services.flatMap((service) =>
      [...serviceFaults(service, waves), ...(engine === "podman" ? podmanFaults(service) : [])].map(
        (fault) => `${service.name}: ${fault}`,
      ),
    ),
  ];
  if (wrong.length > 0)
    throw new UserError(
      `the services of host application ${app} can't run:\n  ${wrong.join("\n  ")}`,
      "mend the lines above",
    );
  startOrder(services);
}

/** Five fields; a calendar of systemd's has three at most, and a time zone. */
const CRON = /^[\d*,/-]+(?: +[\w*,/-]+){4}$/;

function serviceFaults(service: HostService, waves: ReadonlyMap<string, number>): string[] {
  const { name, image, after = [], secrets = [], volumes = [], port, health, init, hooks } = service;
  const texts = [...volumes.flatMap((v) => [v.source, v.target]), health?.path ?? "", init?.file ?? ""];
  return [
    ...(NAME.test(name) ? [] : ["a service's name is 1 to 40 of a-z, 0-9 and -"]),
    ...(/^[\w.:/-]+@sha256:[0-9a-f]{64}$/.test(image)
      ? []
      : [`expected an image by digest, found ${JSON.stringify(image)}`]),
    ...(service.channel === undefined || CHANNEL.test(service.channel)
      ? []
      : [`expected a channel such as stable, found ${JSON.stringify(service.channel)}`]),
    ...after.filter((n) => !waves.has(n)).map((n) => `starts after ${n}, which is no service of this host`),
    ...secrets
      .filter((s) => !/^[A-Za-z_]\w*$/.test(s.name))
      .map((s) => `a secret's name is ${JSON.stringify(s.name)}: use letters, digits and _`),
    ...duplicates(secrets.map((s) => s.name)).map((s) => `secret ${s} stands there twice`),
    ...secrets
      .filter((s) => s.as !== "file" && Object.hasOwn(service.environment ?? {}, s.name))
      .map((s) => `${s.name} is one of its secrets, and stands in its environment in clear: keep one of them`),
    ...texts
      .filter((text) => /[\s,"\\]/.test(text))
      .map((text) => `${JSON.stringify(text)} has a blank, comma or quote`),
    ...volumes
      .filter((v) => !/^(?:config|data|\/.+)$/.test(v.source))
      .map((v) => `a volume's source is config, data or an absolute path, found ${JSON.stringify(v.source)}`),
    ...volumes
      .filter((v) => !/^\/./.test(v.target))
      .map((v) => `a volume's target is an absolute path in the container, found ${JSON.stringify(v.target)}`),
    ...[hooks?.before, hooks?.after]
      .filter((h) => h !== undefined && !/^\/\S+$/.test(h))
      .map((h) => `a hook is the absolute path of a program, found ${JSON.stringify(h)}`),
    ...(init?.command ?? []).filter((a) => /[\r\n]/.test(a)).map(() => "an argument of init has a line break"),
    ...(init !== undefined && /[/]|^\.|^$/.test(init.file)
      ? [`init makes one file in the config folder, found ${JSON.stringify(init.file)}`]
      : []),
    ...(updateOf(service) === "beside" && port === undefined
      ? ["only a service with a port can be updated beside the old one"]
      : []),
    ...(service.schedule !== undefined && port !== undefined ? ["what runs on a schedule has no port"] : []),
    ...((service.aliases ?? []).length > 0 && (service.schedule !== undefined || updateOf(service) === "beside")
      ? ["only a service that is replaced (update: replace) has aliases"]
      : []),
    ...(service.aliases ?? [])
      .filter((alias) => !NAME.test(alias))
      .map((alias) => `an alias is 1 to 40 of a-z, 0-9 and -, found ${JSON.stringify(alias)}`),
    ...(service.gpus ?? [])
      .filter((gpu) => !/^[A-Za-z0-9][A-Za-z0-9.:_-]*$/.test(gpu))
      .map((gpu) => `a GPU is a CDI device such as 0 or all, found ${JSON.stringify(gpu)}`),
    ...after
      .filter((n) => (waves.get(n) ?? 0) > (service.wave ?? 0))
      .map((n) => `starts after ${n}, which is of a later wave`),
    ...(service.schedule !== undefined && service.watchdog !== undefined
      ? ["what runs on a schedule has no watchdog: it ends by itself"]
      : []),
    ...(service.schedule !== undefined && /[\r\n]/.test(service.schedule) ? ["its schedule has a line break"] : []),
    ...(CRON.test(service.schedule ?? "")
      ? [
          `its schedule ${JSON.stringify(service.schedule)} is cron's: write systemd's, such as daily or "*-*-* 03:00:00"`,
        ]
      : []),
    ...pagesFaults(service),
    ...assetsFaults(service),
  ];
}

function pagesFaults(service: HostService): string[] {
  const { errorPages } = service;
  if (errorPages === undefined) return [];
  return [
    ...(isHttp(service) ? [] : ["only a service with a port of protocol http has error pages"]),
    ...Object.entries(errorPages).flatMap(([file, text]) => pageFaults(file, text)),
  ];
}

function assetsFaults({ assets, port, volumes = [], scratch = {} }: HostService): string[] {
  if (assets === undefined) return [];
  const others = [...volumes.map(({ target }) => target), ...Object.keys(scratch), "/run/secrets"];
  const within = (a: string, b: string) => `${a}/`.startsWith(`${b.replace(/\/$/, "")}/`);
  return [
    ...(isAssets(assets)
      ? []
      : [`assets are a folder of its image such as /app/public/assets, found ${JSON.stringify(assets)}`]),
    ...(port === undefined ? ["only a service with a port has assets to serve"] : []),
    ...others
      .filter((path) => within(path, assets) || within(assets, path))
      .map((path) => `assets are in ${assets}, and something else is mounted at ${path}`),
  ];
}

/** By its own name, in letters that need no quotes anywhere. @example isAssets("/app/public/assets") */
export function isAssets(path: string): boolean {
  return /^(?:\/[\w@+.-]+)+$/.test(path) && !/\/\.{1,2}(?:\/|$)/.test(path);
}

/** What a service can't have where Podman runs it. */
function podmanFaults({ engine, watchdog }: HostService): string[] {
  return [
    ...(engine ? ["it is given docker's socket, and its host runs podman, which has none"] : []),
    ...(watchdog === undefined ? [] : ["a watchdog is there with docker alone, and its host runs podman"]),
  ];
}

/** Services wave by wave, each behind those that it starts after; else by name. */
export function startOrder(services: readonly HostService[]): HostService[] {
  const sorted = services.toSorted((a, b) => (a.wave ?? 0) - (b.wave ?? 0) || (a.name < b.name ? -1 : 1));
  const byName = new Map(sorted.map((service) => [service.name, service]));
  const done = new Set<HostService>();
  const begun = new Set<HostService>();
  const place = (service: HostService) => {
    if (done.has(service)) return;
    if (begun.has(service)) {
      const circle = [...begun].filter((s) => !done.has(s)).map((s) => s.name);
      throw new UserError(`services wait for each other: ${circle.join(", ")}`, "break the circle of `after`");
    }
    begun.add(service);
    for (const name of service.after ?? []) {
      const before = byName.get(name);
      if (before !== undefined) place(before);
    }
    done.add(service);
  };
  for (const service of sorted) place(service);
  return [...done];
}

function duplicates<T>(values: readonly T[]): T[] {
  const seen = new Set<T>();
  return [...new Set(values.filter((value) => seen.size === seen.add(value).size))];
}
