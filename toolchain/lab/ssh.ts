import { execa } from "execa";
import type { LabHost } from "./host.ts";

/**
 * Starts a command on a host of the lab, by OpenSSH's client; it never fails by its exit code.
 * @param input its standard input.
 * @example const { all, exitCode } = await labSsh(vps, "systemctl is-system-running")
 */
export function labSsh({ address, keyFile, knownHosts }: LabHost, command: string, input = "", user = "root") {
  const options = [
    "BatchMode=yes",
    `UserKnownHostsFile=${knownHosts}`,
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=5",
  ].flatMap((option) => ["-o", option]);
  return execa("ssh", [...options, "-i", keyFile, `${user}@${address}`, command], { input, all: true, reject: false });
}
