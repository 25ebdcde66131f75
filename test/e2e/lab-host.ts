import { readFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { renderBundle } from "../../core/host/bundle.ts";
import { renderSecrets } from "../../core/host/secrets.ts";
import type { HostEngine, HostService } from "../../core/host/service.ts";
import { type HostVerb, installCommand, sessionCommand } from "../../core/host/session.ts";
import type { LabHost } from "../../toolchain/lab/index.ts";
import { labSsh } from "../../toolchain/lab/ssh.ts";

const PROGRAM = join(import.meta.dirname, "../../runtime/host/keelson-host");

/** What a session said, and how it ended. */
export interface Said {
  readonly code: number | undefined;
  readonly text: string;
}

/** A lab host as one application sees it: by ssh alone. */
export class HostUnderTest {
  readonly host: LabHost;
  readonly app: string;
  readonly engine: HostEngine;
  constructor(host: LabHost, app: string, engine: HostEngine = "docker") {
    this.host = host;
    this.app = app;
    this.engine = engine;
  }

  /** Starts a command by ssh, its standard input given. */
  ssh(command: string, input = "", user = "root") {
    return labSsh(this.host, command, { input, user });
  }

  async run(command: string, input = "", user = "root"): Promise<Said> {
    const { exitCode, all } = await this.ssh(command, input, user);
    return { code: exitCode, text: all };
  }

  async setup(user = "root"): Promise<Said> {
    return this.run(installCommand(this.app, this.engine), await readFile(PROGRAM, "utf8"), user);
  }

  verb(verb: HostVerb, ...args: string[]): Promise<Said> {
    return this.run(sessionCommand(verb, this.app, args));
  }

  /** Standard input of `apply`. */
  input(services: readonly HostService[], secrets: Parameters<typeof renderSecrets>[0] = {}): string {
    return renderBundle({ app: this.app, engine: this.engine, services }) + renderSecrets(secrets);
  }

  apply(services: readonly HostService[], secrets: Parameters<typeof renderSecrets>[0] = {}, ...args: string[]) {
    return this.run(sessionCommand("apply", this.app, args), this.input(services, secrets));
  }

  /** Until it is up again. @param how `systemctl reboot` or harder. */
  async reboot(how = "systemctl reboot"): Promise<boolean> {
    // When its first process started: the kernel and its boot id are this machine's.
    const started = "cut -d' ' -f22 /proc/1/stat";
    const before = (await this.run(started)).text;
    await this.run(how);
    return this.until(`test "$(${started})" != ${before} && systemctl is-system-running --wait`, 120);
  }

  /** Until a command succeeds, at most `seconds`. */
  async until(command: string, seconds: number): Promise<boolean> {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(300))
      if ((await this.run(command)).code === 0) return true;
    return false;
  }
}

/** Answers by status or error, of a load that went on until it was stopped. */
export type Answers = Readonly<Record<string, number>>;

/**
 * Requests one after the other on two kept connections and two that are made anew each time.
 * @param pause milliseconds between two requests of a client.
 */
export function startLoad(address: string, port: number, pause = 5): () => Promise<Answers> {
  const answers: Record<string, number> = {};
  let going = true;
  const count = (name: string | number | undefined) => {
    answers[String(name)] = (answers[String(name)] ?? 0) + 1;
  };
  const once = (agent: Agent) =>
    new Promise<void>((resolve) => {
      const query = request({ host: address, port, path: "/", agent, timeout: 10_000 }, (response) => {
        response.resume();
        response.on("end", () => resolve(count(response.statusCode)));
      });
      query.on("timeout", () => query.destroy(new Error("timeout")));
      query.on("error", (error: NodeJS.ErrnoException) => resolve(count(error.code ?? error.message)));
      query.end();
    });
  const client = async (keepAlive: boolean) => {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    for (; going; await sleep(pause)) await once(agent);
    agent.destroy();
  };
  const clients = Promise.all([true, true, false, false].map(client));
  return async () => {
    going = false;
    await clients;
    return answers;
  };
}
