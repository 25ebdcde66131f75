import type { HostMount } from "../volume/consumers.ts";
import { mountPoint } from "../volume/uses.ts";
import type { HostService } from "./service.ts";
import { asRoot, shellWord } from "./session.ts";

/** A volume of the stack on a host, as its services see it. */
export interface PlannedMount {
  /** Of `keelson:volumes`. */
  readonly volume: string;
  /** Absolute. */
  readonly where: string;
}

/** The volumes that services of a host mount, each once. */
export function plannedMounts(app: string, services: readonly Pick<HostService, "volumes">[]): PlannedMount[] {
  const names = services.flatMap(({ volumes = [] }) => volumes.flatMap(({ volume }) => volume ?? []));
  return [...new Set(names)].toSorted().map((volume) => ({ volume, where: mountPoint(app, volume) }));
}

/** The session whose standard input is a {@link mountScript}. */
export function mountCommand(): string {
  return asRoot("bash -s");
}

/**
 * A script that brings a mount about on a host: rclone, the file with its keys for root alone, its unit, and the mount itself. Run
 * again it changes nothing; a mount whose unit or keys are others is made anew. It is a secret.
 */
export function mountScript(app: string, { unit, unitText, configFile, configText }: HostMount): string {
  const encoded = (text: string) => Buffer.from(text).toString("base64");
  const place = (text: string, file: string, mode: number) => [
    `base64 -d <<<${encoded(text)} >${shellWord(`${file}.new`)}`,
    `place ${shellWord(file)} ${mode}`,
  ];
  return [
    "set -euo pipefail",
    "umask 077",
    "if ! { command -v rclone && command -v fusermount3; } >/dev/null; then",
    "  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends rclone fuse3; } >&2",
    "fi",
    "# Where mount(8) looks for the helper of a type.",
    '[ -e /usr/sbin/mount.rclone ] || ln -s "$(command -v rclone)" /usr/sbin/mount.rclone',
    `install -d -m 700 /srv/keelson ${shellWord(`/srv/keelson/${app}`)} /etc/keelson/rclone /var/cache/keelson/rclone`,
    "# place FILE MODE: FILE.new, whole or not at all. Never in a condition: bash goes on behind a step that fails in one.",
    'place() { if cmp -s "$1.new" "$1"; then rm "$1.new"; else chmod "$2" "$1.new"; mv "$1.new" "$1"; changed=yes; fi; }',
    "changed=",
    ...place(configText, configFile, 600),
    ...place(unitText, `/etc/systemd/system/${unit}`, 644),
    "systemctl daemon-reload",
    `systemctl enable --quiet ${shellWord(unit)}`,
    `if ! systemctl "$([ -n "$changed" ] && echo restart || echo start)" ${shellWord(unit)}; then`,
    `  journalctl --no-pager -q -n 10 -u ${shellWord(unit)} >&2`,
    "  exit 1",
    "fi",
    `echo ${shellWord(`${unit} is mounted`)}`,
    "",
  ].join("\n");
}

/**
 * The session that takes a mount away, with the folders that are empty then. What is on the volume stays, and so does the cache on the
 * host: it may hold what was not written to the volume yet.
 */
export function unmountCommand({ unit, configFile }: Pick<HostMount, "unit" | "configFile">, where: string): string {
  const folders = [
    where,
    where.slice(0, where.lastIndexOf("/")),
    "/srv/keelson",
    "/etc/keelson/rclone",
    "/etc/keelson",
  ];
  const script = [
    `systemctl disable --quiet --now ${shellWord(unit)} || true`,
    `rm -f ${shellWord(`/etc/systemd/system/${unit}`)} ${shellWord(configFile)}`,
    "systemctl daemon-reload",
    // One by one, from within: what another application or somebody has in one stays.
    ...folders.map((folder) => `rmdir ${shellWord(folder)} 2>/dev/null`),
    "true",
  ].join("; ");
  return asRoot(`sh -c ${shellWord(script)}`);
}
