import type { HostConnection } from "./connection.ts";

/** A server as `keelson:hosts` names it; a host of the lab by its name alone. */
export type NamedHost = Partial<Omit<HostConnection, "proxy">> & {
  readonly proxy?: Partial<HostConnection> | undefined;
};

/**
 * What to do about a server that can't be got into, by what ssh said of it.
 * @param said the words of the command plugin, keelson's or Pulumi's
 * @returns undefined where they are of something else
 * @example loginAdvice("vps1", { address: "203.0.113.7" }, "ssh: handshake failed: ssh: host key mismatch")
 */
export function loginAdvice(name: string, host: "lab" | NamedHost, said: string): string | undefined {
  const which = KNOWN.find(({ signature }) => signature.test(said));
  if (which === undefined) return undefined;
  if (host === "lab") return "look with `npm run lab -- status`; `npm run lab` starts what does not run";
  // Both plugins put it before what a bastion's connection failed with.
  const isProxy = /\bproxy: /.test(said) && host.proxy !== undefined;
  const { address = "the server", port = 22, user = "root" } = (isProxy ? host.proxy : host) ?? {};
  return which.advice({ key: `keelson:hosts.${name}${isProxy ? ".proxy" : ""}`, address, port, user });
}

interface Known {
  readonly signature: RegExp;
  advice(login: { key: string; address: string; port: number; user: string }): string;
}

const KNOWN: readonly Known[] = [
  {
    signature: /host key mismatch/,
    advice: ({ key, address }) =>
      `${address} showed another key than ${key}.hostKey: if the server was made anew, write there what \`ssh-keyscan ${address}\` prints, once you have compared it with what its provider shows; if it was not, somebody may be in between`,
  },
  {
    signature: /attempted methods \[none\]/,
    advice: ({ key, user, address }) =>
      `there is nothing to log in to ${address} as ${user} with: set ${key}.privateKey or .password (pulumi config set --path --secret '${key}.privateKey' <FILE), or run an ssh-agent`,
  },
  {
    signature: /unable to authenticate/,
    advice: ({ key, user, address }) =>
      `${address} does not let ${user} in: see that ${key}.user is right, and that the key in privateKey (or the agent's) is in ${user}'s ~/.ssh/authorized_keys there, or the password is right`,
  },
  {
    signature: /no such host/,
    advice: ({ key, address }) => `nothing has the name ${address}: correct ${key}.address`,
  },
  {
    signature:
      /connection refused|connection timed out|i\/o timeout|Connection lost before handshake|no route to host|network is unreachable/,
    advice: ({ key, address, port }) =>
      `no ssh server answers at ${address} port ${port}: see that the server runs, that ${key}.address and port are right, and that no firewall is in the way`,
  },
];
