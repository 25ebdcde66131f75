import { parseDuration } from "../duration.ts";
import { parseSize, type Size } from "../size.ts";
import {
  ADDRESS,
  assetsFolder,
  ENGINE_GROUP,
  ENGINE_SOCKET,
  HOST_PROGRAM,
  NETWORK,
  SLOT,
  stateFolder,
  unitName,
} from "./names.ts";
import { commandLine } from "./quote.ts";
import { CALLS, FILES, KERNEL } from "./sandbox.ts";
import { type HostEngine, type HostService, STOP } from "./service.ts";

const DOCKER = "/usr/bin/docker";
const PROCESSES = 512;
const SCRATCH: Readonly<Record<string, Size>> = { "/tmp": "64 MiB" };

/**
 * The systemd unit of a service, for either slot: `@SLOT@` and `@ADDRESS@` are filled in on the host. systemd alone
 * restarts it; docker runs the container, with nothing that it does not need.
 */
export function renderUnit(app: string, service: HostService): string {
  return service.schedule === undefined ? daemonUnit(app, service) : jobUnit(app, service);
}

/** The timer of a service with a schedule. */
export function renderTimer(service: Pick<HostService, "name" | "schedule">): string {
  return `${[
    "[Unit]",
    `Description=When ${service.name} runs`,
    "",
    "[Timer]",
    `OnCalendar=${service.schedule}`,
    "Persistent=yes",
    "",
    "[Install]",
    "WantedBy=timers.target",
  ].join("\n")}\n`;
}

function daemonUnit(app: string, service: HostService): string {
  const name = unitName(app, service.name, SLOT);
  const stop = parseDuration(service.stop ?? STOP);
  return lines([
    ...unitSection(app, service),
    "# Without a limit: a host that comes back late is a host that comes back.",
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=exec",
    ...secretLines(app, service),
    `ExecStartPre=-${DOCKER} rm --force --volumes ${name}`,
    `ExecStartPre=${commandLine(runCommand(app, service, ["--detach"]))}`,
    `ExecStart=${[HOST_PROGRAM, "outlast", name, ...watch(app, service)].join(" ")}`,
    `ExecStop=${DOCKER} stop --time=${Math.ceil(stop)} ${name}`,
    `ExecStopPost=-${DOCKER} rm --force --volumes ${name}`,
    `TimeoutStopSec=${Math.ceil(stop) + 20}`,
    ...RESTART,
    ...SANDBOX,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ]);
}

/** How long it may be unhealthy, how long it has to stop, and the proxy that knows how it is, where it has one. */
function watch(app: string, { name, watchdog, stop, port }: HostService): (string | number)[] {
  if (watchdog === undefined) return [];
  const times = [watchdog, stop ?? STOP].map((time) => Math.ceil(parseDuration(time)));
  return port === undefined ? times : [...times, unitName(app, name, "proxy"), SLOT];
}

function jobUnit(app: string, service: HostService): string {
  return lines([
    ...unitSection(app, service),
    "",
    "[Service]",
    "Type=oneshot",
    ...secretLines(app, service),
    `ExecStart=${commandLine(runCommand(app, service, ["--rm"]))}`,
    `ExecStopPost=-${DOCKER} rm --force --volumes ${unitName(app, service.name, SLOT)}`,
    "# The engine's driver logs already.",
    "StandardOutput=null",
    "StandardError=null",
    ...SANDBOX,
  ]);
}

/** systemd alone restarts a service. */
export const RESTART = [
  "Restart=always",
  "RestartSec=1",
  "# From 1 s to 60 s, from systemd 254 on.",
  "RestartSteps=6",
  "RestartMaxDelaySec=60",
];

export function unitSection(app: string, service: HostService, engine: HostEngine = "docker"): string[] {
  const needs = [...(engine === "docker" ? ["docker.service"] : []), "network-online.target"];
  const before = (service.after ?? []).flatMap((name) =>
    ["a", "b"].map((slot) => `${unitName(app, name, slot)}.service`),
  );
  return [
    "# Written by keelson: changes are undone at the next `pulumi up`, and shown by `keelson status`.",
    "[Unit]",
    `Description=${service.name} of ${app} (keelson)`,
    `Wants=${needs.join(" ")}`,
    `After=${[...needs, ...before].join(" ")}`,
    ...(service.volumes ?? []).flatMap(({ source, volume }) =>
      volume === undefined ? [] : [`RequiresMountsFor=${source}`],
    ),
  ];
}

function runCommand(app: string, service: HostService, mode: readonly string[]): string[] {
  const folder = stateFolder(app, service.name);
  return [
    DOCKER,
    "run",
    ...mode,
    `--name=${unitName(app, service.name, SLOT)}`,
    "--pull=never",
    "--restart=no",
    `--network=${NETWORK}`,
    `--ip=${ADDRESS}`,
    ...(service.aliases ?? []).map((alias) => `--network-alias=${alias}`),
    "--add-host=host.docker.internal:host-gateway",
    `--hostname=${service.name}`,
    `--label=io.keelson.app=${app}`,
    `--label=io.keelson.service=${service.name}`,
    "--log-driver=journald",
    `--log-opt=tag=${unitName(app, service.name, SLOT)}`,
    "--read-only",
    ...scratchOptions(service),
    // Docker's own interval is longer than a deploy should wait; without a HEALTHCHECK it says nothing.
    ...(service.health === undefined ? ["--health-interval=5s"] : []),
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    ...limitOptions(service),
    ...(service.gpus ?? []).map((gpu) => `--device=nvidia.com/gpu=${gpu}`),
    ...(service.user === undefined ? [] : [`--user=${service.user}`]),
    ...(service.engine
      ? [`--group-add=${ENGINE_GROUP}`, `--mount=type=bind,src=${ENGINE_SOCKET},dst=${ENGINE_SOCKET}`]
      : []),
    `--env-file=${folder}/${SLOT}/env`,
    ...(service.secrets?.length ? secretOptions(app, service) : []),
    ...(service.volumes ?? []).map(
      ({ source, target, readOnly }) =>
        `--mount=type=bind,src=${volumeSource(app, source)},dst=${target}${readOnly ? ",readonly" : ""}`,
    ),
    ...(service.assets === undefined
      ? []
      : [`--mount=type=bind,src=${assetsFolder(app, service.name)},dst=${service.assets},readonly`]),
    service.image,
    ...(service.command ?? []),
  ];
}

/** Folders in memory that a container may write to, as docker and Podman take them. */
export function scratchOptions({ scratch }: HostService): string[] {
  return Object.entries(scratch ?? SCRATCH)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, size]) => `--tmpfs=${path}:rw,nosuid,nodev,mode=1777,size=${parseSize(size)}`);
}

/** What a container may use, as docker and Podman take it. */
export function limitOptions({ limits = {} }: HostService): string[] {
  return [
    `--pids-limit=${limits.processes ?? PROCESSES}`,
    ...(limits.memory === undefined ? [] : [`--memory=${parseSize(limits.memory)}`]),
    ...(limits.cpus === undefined ? [] : [`--cpus=${limits.cpus}`]),
  ];
}

/** Where a volume lies on the host. @example volumeSource("clawft", "data") // "/opt/clawft/data" */
export function volumeSource(app: string, source: string): string {
  return source.startsWith("/") ? source : `/opt/${app}/${source}`;
}

/** systemd hands the secrets to the unit alone; the program puts them in memory as the container's user may read them. */
export function secretLines(app: string, service: HostService): string[] {
  const secrets = service.secrets ?? [];
  if (secrets.length === 0) return [];
  const folder = stateFolder(app, service.name);
  const kinds = secrets.map(({ name, as = "environment" }) => `${as}:${name}`);
  return [
    ...secrets.map(({ name }) => `LoadCredential=${name}:${folder}/${SLOT}/secrets/${name}`),
    `RuntimeDirectory=${unitName(app, service.name, SLOT)}`,
    "RuntimeDirectoryMode=0700",
    `ExecStartPre=+${commandLine([HOST_PROGRAM, "credentials", service.image, service.user ?? "", ...kinds])}`,
  ];
}

function secretOptions(app: string, service: HostService): string[] {
  const folder = `/run/${unitName(app, service.name, SLOT)}`;
  return [`--env-file=${folder}/env`, `--mount=type=bind,src=${folder}/files,dst=/run/secrets,readonly`];
}

/** The unit's process is docker's client, which needs the engine's socket and nothing else. */
const SANDBOX = [
  "# Without a login: root's own settings are out of sight.",
  "Environment=DOCKER_CONFIG=/etc/docker",
  "CapabilityBoundingSet=",
  ...FILES,
  "PrivateNetwork=yes",
  "IPAddressDeny=any",
  "RestrictAddressFamilies=AF_UNIX",
  ...KERNEL,
  ...CALLS,
];

function lines(text: readonly string[]): string {
  return `${text.join("\n")}\n`;
}
