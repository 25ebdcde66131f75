import type { Client, ClientChannel, PseudoTtyOptions } from "ssh2";

/** What ssh2 keeps to itself, and this file needs; the lock file pins its version. */
interface Internals {
  readonly _protocol: {
    env(channel: number, name: string, value: string, wantReply: boolean): void;
    exec(channel: number, command: string, wantReply: boolean): void;
  };
  readonly _chanMgr: { readonly _channels: Readonly<Record<number, OpenChannel>> };
}

interface OpenChannel {
  readonly outgoing: { readonly id: number };
  readonly _callbacks: ((failed: unknown) => void)[];
}

/** A variable of the command's environment; `required`: without it the command must not run. */
export interface Variable {
  readonly name: string;
  readonly value: string;
  readonly required: boolean;
}

/** A required variable that the server does not take: its AcceptEnv decides. */
export class RefusedVariable extends Error {
  readonly variable: string;

  constructor(variable: string) {
    super(`could not set environment variable ${JSON.stringify(variable)}: ssh: setenv failed`);
    this.variable = variable;
  }
}

/** A command that runs. */
export interface Running {
  readonly channel: ClientChannel;
  /** Resolves when the channel is closed: code, signal, whether it dumped core, and why; undefined where nobody said. */
  readonly ended: Promise<readonly unknown[] | undefined>;
}

/**
 * Starts a command in a session of its own. ssh2 sends variables without asking whether the server took them: here it
 * asks, and starts the command only when all required ones were taken.
 * @param refused told of each variable that the server did not take and that isn't required.
 * @param pty default: no terminal.
 * @throws RefusedVariable
 */
export function execute(
  client: Client,
  command: string,
  variables: readonly Variable[],
  refused: (name: string) => void,
  pty?: PseudoTtyOptions,
): Promise<Running> {
  const internals = client as unknown as Internals;
  const { _protocol: protocol } = internals;
  const env = protocol.env.bind(protocol);
  const exec = protocol.exec.bind(protocol);
  return new Promise((resolve, reject) => {
    const restore = () => Object.assign(protocol, { env, exec });
    let waiting = variables.length;
    let start: (() => void) | undefined;
    const answered = ({ name, required }: Variable, failed: boolean) => {
      waiting--;
      if (failed && required) {
        restore();
        reject(new RefusedVariable(name));
        start = undefined;
        waiting = Number.POSITIVE_INFINITY;
      } else if (failed) refused(name);
      if (waiting === 0) start?.();
    };
    let sent = 0;
    Object.assign(protocol, {
      env: (id: number, name: string, value: string) => {
        const variable = variables[sent++];
        const channel = Object.values(internals._chanMgr._channels).find((c) => c.outgoing?.id === id);
        if (variable !== undefined) channel?._callbacks.push((failed) => answered(variable, Boolean(failed)));
        env(id, name, value, true);
      },
      exec: (id: number, text: string, wantReply: boolean) => {
        start = () => {
          restore();
          exec(id, text, wantReply);
        };
        if (waiting === 0) start();
      },
    });
    const environment = Object.fromEntries(variables.map(({ name, value }) => [name, value]));
    client.once("error", reject);
    client.once("close", () => reject(new Error("the connection was closed")));
    client.exec(command, { env: environment, ...(pty === undefined ? {} : { pty }) }, (error, channel) =>
      // At once: its end may stand in the same packet as its beginning.
      error ? reject(error) : resolve({ channel, ended: endOf(client, channel) }),
    );
  });
}

function endOf(client: Client, channel: ClientChannel): Promise<readonly unknown[] | undefined> {
  return new Promise((resolve) => {
    let end: readonly unknown[] | undefined;
    channel
      .on("exit", (...args: unknown[]) => {
        end = args;
      })
      // A server that ends the command before it has read all of its input is no failure of its own.
      .on("error", () => {})
      .on("close", () => resolve(end));
    client.once("close", () => resolve(end));
  });
}
