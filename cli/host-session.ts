import type { PseudoTtyOptions } from "ssh2";
import { hostAccess } from "../config/host-login.ts";
import type { HostsConfig } from "../config/hosts.ts";
import { UserError } from "../core/error.ts";
import { loginAdvice, type NamedHost } from "../core/host/login-advice.ts";
import { askCommand, type HostVerb } from "../core/host/session.ts";
import { APP } from "../core/host-plan.ts";
import { hint } from "../core/lineage.ts";
import { connection } from "../plugins/command/remote/connection.ts";
import { dial } from "../plugins/command/remote/dial.ts";
import { execute } from "../plugins/command/remote/session.ts";
import { stackSecret } from "../toolchain/stack-secret.ts";
import type { Input, Terminal } from "./input.ts";

/** Where a host's words go as they come. */
export interface Listener {
  readonly stdout: (chunk: Buffer) => void;
  readonly stderr: (chunk: Buffer) => void;
}

/** This process's own output. */
export const passOn: Listener = {
  stdout: (chunk) => void process.stdout.write(chunk),
  stderr: (chunk) => void process.stderr.write(chunk),
};

/** A host of a stack that its program answers on. */
export interface OpenHost {
  readonly name: string;
  readonly app: string;
  /** Runs one verb of the host's program in a session. @param input default: none. @returns its exit code. */
  run(verb: HostVerb, args: readonly string[], listener: Listener, input?: Input): Promise<number>;
  /** Runs a command line as it stands. @param what it is, for a failure's message. @returns its exit code. */
  execute(what: string, command: string, listener: Listener, input?: Input): Promise<number>;
}

/**
 * A stack's host by name, or all of them; nothing is dialled yet.
 * @param hosts `keelson:hosts` as it was read
 * @throws UserError for a name that no host has, and where a login can't be read.
 */
export async function hostsOf(stack: string, hosts: HostsConfig, name?: string): Promise<OpenHost[]> {
  const known = Object.keys(hosts).toSorted();
  const chosen = name === undefined ? known : known.filter((host) => host === name);
  if (chosen.length === 0)
    throw new UserError(
      name === undefined ? `stack ${stack} has no hosts` : `stack ${stack} has no host "${name}"`,
      known.length === 0
        ? `add one to keelson:hosts in Pulumi.${stack}.yaml`
        : `name one of: ${known.join(", ")}${hint(name ?? "", known)}`,
    );
  const wanted = Object.fromEntries(chosen.map((host) => [host, hosts[host]])) as HostsConfig;
  const access = await hostAccess(wanted);
  return Promise.all(
    chosen.map(async (host): Promise<OpenHost> => {
      const choice = hosts[host];
      const app = (typeof choice === "object" && choice.app) || APP;
      const login = { ...access.get(host), ...(await credentials(stack, host, choice)) };
      const execute: OpenHost["execute"] = (...asked) => session(host, choice ?? "lab", login, ...asked);
      return {
        name: host,
        app,
        execute,
        run: (verb, args, ...rest) => execute(verb, askCommand(verb, app, args), ...rest),
      };
    }),
  );
}

const SECRETS = ["privateKey", "privateKeyPassword", "password"] as const;

/** What is secret in a login, decrypted. */
async function credentials(stack: string, name: string, choice: HostsConfig[string] | undefined) {
  if (typeof choice !== "object") return {};
  const read = async (login: Partial<Record<(typeof SECRETS)[number], unknown>>, path: string) => {
    const found: Record<string, string> = {};
    for (const key of SECRETS)
      if (login[key] !== undefined) found[key] = await stackSecret(stack, `keelson:hosts.${path}.${key}`);
    return found;
  };
  const own = await read(choice, name);
  if (choice.proxy === undefined) return own;
  return { ...own, proxy: { ...choice.proxy, ...(await read(choice.proxy, `${name}.proxy`)) } };
}

async function session(
  name: string,
  choice: "lab" | NamedHost,
  login: Record<string, unknown>,
  what: string,
  command: string,
  listener: Listener,
  input?: Input,
): Promise<number> {
  const aborted = new AbortController();
  await using dialled = await dial(connection.parse(dialling(login)), {
    agent: process.env.SSH_AUTH_SOCK || undefined,
    signal: aborted.signal,
    say: (line) => process.stderr.write(`${name}: ${line}\n`),
  }).catch((error: Error) => {
    throw new UserError(
      `host ${name} can't be reached: ${error.message}`,
      loginAdvice(name, choice, error.message) ?? "see that it runs and that its login is right",
    );
  });
  const { channel, ended } = await execute(dialled.client, command, [], () => {}, pseudoTerminal(input?.terminal));
  channel.on("data", listener.stdout);
  channel.stderr.on("data", listener.stderr);
  input?.terminal?.onResize(({ rows, columns }) => channel.setWindow(rows, columns, 0, 0));
  if (input?.stream === undefined) channel.end();
  else input.stream.pipe(channel);
  const end = await ended;
  if (end === undefined)
    throw new UserError(
      `the connection to host ${name} broke before it said how \`${what}\` ended`,
      "a host ends what changes it without a connection: look with `keelson status`",
    );
  const [code] = end;
  return typeof code === "number" ? code : 255;
}

function pseudoTerminal(terminal: Terminal | undefined): PseudoTtyOptions | undefined {
  if (terminal === undefined) return undefined;
  const { rows, columns } = terminal.size();
  return { term: terminal.kind, rows, cols: columns };
}

/** What keelson:hosts says, as a connection. Few attempts: a person waits. */
function dialling(login: Record<string, unknown>): Record<string, unknown> {
  const { address, agentSocket, proxy, ...rest } = login;
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => typeof value !== "object" && value !== undefined)),
    host: address,
    dialErrorLimit: 2,
    ...(agentSocket === undefined ? {} : { agentSocketPath: agentSocket }),
    ...(proxy === undefined ? {} : { proxy: dialling(proxy as Record<string, unknown>) }),
  };
}
