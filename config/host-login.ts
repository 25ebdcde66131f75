import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/error.ts";
import type { HostConnection } from "../core/host/connection.ts";
import { labHosts } from "../toolchain/lab/index.ts";
import type { HostsConfig } from "./hosts.ts";

/** How to get into a host: what `keelson:hosts` says of it in clear, and for a host of the lab all of it. */
export interface HostAccess extends HostConnection {
  /** Only for hosts of the lab: others have theirs as a secret in the stack's config. */
  readonly privateKey?: string;
}

/**
 * Ways into a stack's hosts, by name.
 * @throws UserError where a host of the lab does not run.
 */
export async function hostAccess(hosts: HostsConfig): Promise<ReadonlyMap<string, HostAccess>> {
  const wantsLab = Object.values(hosts).includes("lab");
  const lab = wantsLab ? await labHosts() : [];
  return new Map(
    Object.entries(hosts).map(([name, host]): [string, HostAccess] => {
      if (host !== "lab") {
        const { proxy } = host;
        return [name, { ...inClear(host), ...(proxy && { proxy: inClear(proxy) }) }];
      }
      const found = lab.find((running) => running.name === name);
      if (found === undefined)
        throw new UserError(
          `the lab has no host ${name}: ${lab.map((l) => l.name).join(", ") || "none runs"}`,
          "run `npm run lab`; its hosts are vps1, vps2 and so on",
        );
      const { address, keyFile, knownHosts } = found;
      const privateKey = readFileSync(keyFile, "utf8");
      return [name, { address, hostKey: pinnedKey(readFileSync(knownHosts, "utf8")), privateKey }];
    }),
  );
}

/** Text of the program that does everything on a host. */
export function hostProgram(root: string): string {
  return readFileSync(join(root, "runtime/host/keelson-host"), "utf8");
}

type Login = Omit<HostConnection, "proxy">;

/** Without the marks of secrets, which are none. */
function inClear({ address, port, user, hostKey, agentSocket }: Login): Login {
  return { address, port, user, hostKey, agentSocket };
}

/** The first key of a known_hosts file. */
function pinnedKey(knownHosts: string): string {
  return (knownHosts.split("\n")[0] ?? "").split(" ").slice(1, 3).join(" ");
}
