import { parseDuration } from "../duration.ts";
import { checkBundle, startOrder } from "./check.ts";
import { renderEnvironment } from "./environment.ts";
import { renderPages } from "./pages.ts";
import { renderProxy, renderProxyUnit } from "./proxy.ts";
import { renderQuadlet } from "./quadlet.ts";
import { DRAIN, HEALTHY_WITHIN, type HostBundle, type HostService, isHttp, STOP, updateOf } from "./service.ts";
import { renderTimer, renderUnit, volumeSource } from "./unit.ts";

/** First line of a bundle: the host program refuses another one. */
export const BUNDLE_FORMAT = "keelson-host 1";

/**
 * Everything that a host shall run, as one text that the host program reads from its standard input. The same services
 * give the same text; a service whose part is unchanged is left alone. Each line is a word and its values; a line of a
 * file begins with `|`. Secrets are not in it: see {@link renderSecrets}.
 * @throws UserError where the services can't run together.
 */
export function renderBundle(bundle: HostBundle): string {
  checkBundle(bundle);
  return [
    BUNDLE_FORMAT,
    `app ${bundle.app}`,
    ...(bundle.engine === "podman" ? ["engine podman"] : []),
    `keep ${bundle.keep ?? 2}`,
    ...(bundle.firewall === true ? ["firewall"] : []),
    ...(bundle.upgrades === true ? ["upgrades"] : []),
    ...startOrder(bundle.services).flatMap((service) => renderSection(bundle, service)),
    "end\n",
  ].join("\n");
}

/** A service's part of a bundle, line by line. */
export function renderSection({ app, engine }: Pick<HostBundle, "app" | "engine">, service: HostService): string[] {
  const { port, health, hooks, init, schedule } = service;
  return [
    `service ${service.name}`,
    `image ${service.image}`,
    ...(service.channel === undefined ? [] : [`channel ${service.channel}`]),
    `update ${schedule === undefined ? updateOf(service) : "job"}`,
    `drain ${Math.ceil(parseDuration(service.drain ?? DRAIN))}`,
    `stop ${Math.ceil(parseDuration(service.stop ?? STOP))}`,
    ...(service.user === undefined ? [] : [`user ${service.user}`]),
    ...(port === undefined ? [] : [`listen ${port.publish}`, `port ${port.container}`]),
    ...(health === undefined ? [] : [`health ${health.port} ${health.path ?? ""}`.trimEnd()]),
    `within ${Math.ceil(parseDuration(health?.within ?? HEALTHY_WITHIN))}`,
    ...(service.optional ? ["optional"] : []),
    ...(service.gpus ?? []).map((gpu) => `gpu ${gpu}`),
    ...(service.secrets ?? []).map(({ name }) => `secret ${name}`),
    ...(service.volumes ?? []).map(({ source }) => `folder ${volumeSource(app, source)}`),
    ...(service.assets === undefined ? [] : [`assets ${service.assets}`]),
    ...(init === undefined
      ? []
      : [`init ${init.file}`, ...init.command.map((argument) => `init-argument ${argument}`)]),
    ...(hooks?.before === undefined ? [] : [`before ${hooks.before}`]),
    ...(hooks?.after === undefined ? [] : [`after ${hooks.after}`]),
    ...file("unit", engine === "podman" ? renderQuadlet(app, service) : renderUnit(app, service)),
    ...file("env", renderEnvironment(service)),
    ...(schedule === undefined ? [] : file("timer", renderTimer(service))),
    ...(port === undefined
      ? []
      : [
          ...file("proxy.cfg", renderProxy(app, { ...service, port })),
          ...file("proxy.service", renderProxyUnit(app, { ...service, port })),
          ...(isHttp(service)
            ? Object.entries(renderPages(app, service)).flatMap(([page, text]) => file(page, text))
            : []),
        ]),
  ];
}

/** The lines of a file, in a bundle or in what `mount` reads. */
export function file(name: string, text: string): string[] {
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  return [`file ${name}`, ...lines.map((line) => `|${line}`)];
}
