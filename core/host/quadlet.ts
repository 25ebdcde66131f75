import { parseDuration } from "../duration.ts";
import { ADDRESS, assetsFolder, HOST_PROGRAM, MAC, NETWORK, SLOT, stateFolder, unitName } from "./names.ts";
import { quoteArgument } from "./quote.ts";
import { type HostService, STOP } from "./service.ts";
import { limitOptions, RESTART, scratchOptions, secretLines, unitSection, volumeSource } from "./unit.ts";

/**
 * The Quadlet of a service, for either slot, of which Podman's generator makes the unit: the same container with the same
 * bounds as under docker. What a key is for since Podman 4.4 is a key, the rest are Podman's own options.
 * @example renderQuadlet("clawft", weft) // "…[Container]\nContainerName=keelson-clawft-weft-@SLOT@\nImage=…"
 */
export function renderQuadlet(app: string, service: HostService): string {
  const { schedule, stop } = service;
  const seconds = Math.ceil(parseDuration(stop ?? STOP));
  return `${[
    ...unitSection(app, service, "podman"),
    ...(schedule === undefined ? ["StartLimitIntervalSec=0"] : []),
    "",
    "[Container]",
    `ContainerName=${unitName(app, service.name, SLOT)}`,
    `Image=${service.image}`,
    ...(service.command === undefined ? [] : [`Exec=${service.command.map(quoteArgument).join(" ")}`]),
    ...(service.user === undefined
      ? []
      : [`User=${service.user.split(":")[0]}`, `Group=${service.user.split(":")[1]}`]),
    `Network=${NETWORK}`,
    "ReadOnly=true",
    "DropCapability=all",
    "NoNewPrivileges=true",
    `Label=io.keelson.app=${app}`,
    `Label=io.keelson.service=${service.name}`,
    `EnvironmentFile=${stateFolder(app, service.name)}/${SLOT}/env`,
    ...(service.secrets?.length ? secretKeys(app, service) : []),
    ...(service.gpus ?? []).map((gpu) => `AddDevice=nvidia.com/gpu=${gpu}`),
    ...(service.volumes ?? []).map(
      ({ source, target, readOnly }) => `Volume=${volumeSource(app, source)}:${target}${readOnly ? ":ro" : ""}`,
    ),
    ...(service.assets === undefined ? [] : [`Volume=${assetsFolder(app, service.name)}:${service.assets}:ro`]),
    ...options(app, service, seconds).map((option) => `PodmanArgs=${quoteArgument(option)}`),
    "",
    "[Service]",
    ...(service.secrets?.length ? ["Environment=KEELSON_ENGINE=podman", ...secretLines(app, service)] : []),
    ...(schedule === undefined
      ? RESTART
      : ["Type=oneshot", "# The engine's driver logs already.", "StandardOutput=null", "StandardError=null"]),
    // Whatever comes of it: a container that serves is worth more.
    `ExecStartPost=-${HOST_PROGRAM} keep-address`,
    `TimeoutStopSec=${seconds + 20}`,
  ].join("\n")}\n`;
}

function secretKeys(app: string, service: HostService): string[] {
  const folder = `/run/${unitName(app, service.name, SLOT)}`;
  return [`EnvironmentFile=${folder}/env`, `Volume=${folder}/files:/run/secrets:ro`];
}

function options(app: string, service: HostService, stop: number): string[] {
  return [
    "--pull=never",
    `--ip=${ADDRESS}`,
    `--mac-address=${MAC}`,
    ...(service.aliases ?? []).map((alias) => `--network-alias=${alias}`),
    `--hostname=${service.name}`,
    "--log-driver=journald",
    `--log-opt=tag=${unitName(app, service.name, SLOT)}`,
    // Podman gives a read-only container more folders in memory than docker does.
    "--read-only-tmpfs=false",
    ...scratchOptions(service),
    ...limitOptions(service),
    `--stop-timeout=${stop}`,
  ];
}
