import { execa } from "execa";
import type { LabHost } from "./host.ts";

export interface LabSession {
  /** Of the command. Default: nothing. */
  readonly input?: string;
  /** Default: root. */
  readonly user?: string;
  /** A port of this machine's loopback that is also one of the host's. */
  readonly forward?: number;
}

/**
 * Starts a command on a host of the lab, by OpenSSH's client; it never fails by its exit code.
 * @example const { all, exitCode } = await labSsh(vps, "systemctl is-system-running")
 */
export function labSsh(
  { address, keyFile, knownHosts }: LabHost,
  command: string,
  { input = "", user = "root", forward }: LabSession = {},
) {
  const options = [
    "BatchMode=yes",
    // It takes several files, with spaces between them.
    `UserKnownHostsFile="${knownHosts}"`,
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=5",
  ].flatMap((option) => ["-o", option]);
  if (forward !== undefined) options.push("-R", `127.0.0.1:${forward}:localhost:${forward}`);
  return execa("ssh", [...options, "-i", keyFile, `${user}@${address}`, command], { input, all: true, reject: false });
}
