import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execaSync } from "execa";
import { silent } from "../../../toolchain/progress.ts";
import { aptSource } from "../../../toolchain/sources/deb.ts";
import { freePort } from "../port.ts";

/** A pair of keys, as OpenSSH writes them. */
export interface Keys {
  readonly private: string;
  readonly public: string;
}

export function newKeys(passphrase = ""): Keys {
  const directory = mkdtempSync(join(tmpdir(), "keelson-keys-"));
  try {
    const file = join(directory, "key");
    execaSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", file]);
    return { private: readFileSync(file, "utf8"), public: readFileSync(`${file}.pub`, "utf8").trim() };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Installs OpenSSH's server, which brings the client, where it is missing. */
export async function needSshd(): Promise<void> {
  if (existsSync("/usr/sbin/sshd") && existsSync("/usr/bin/ssh-keygen")) return;
  await aptSource("openssh-server", 0).provide(tmpdir(), silent);
}

/** OpenSSH's server on a port of loopback, for root and the keys that it is given, with a host key of its own. */
export class Sshd {
  readonly port: number;
  readonly hostKey: string;
  private readonly configuration: string;
  private process: ChildProcess | undefined;

  private constructor(port: number, hostKey: string, configuration: string) {
    this.port = port;
    this.hostKey = hostKey;
    this.configuration = configuration;
  }

  static async make(directory: string, keys: readonly Keys[]): Promise<Sshd> {
    mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
    mkdirSync(directory, { recursive: true });
    const host = newKeys();
    const port = await freePort();
    writeFileSync(join(directory, "host"), host.private, { mode: 0o600 });
    writeFileSync(join(directory, "authorized"), `${keys.map((k) => k.public).join("\n")}\n`, { mode: 0o600 });
    const configuration = join(directory, "sshd_config");
    const lines = [
      `Port ${port}`,
      "ListenAddress 127.0.0.1",
      `HostKey ${directory}/host`,
      `AuthorizedKeysFile ${directory}/authorized`,
      ...["PidFile none", "UsePAM no", "StrictModes no", "PermitRootLogin yes", "PasswordAuthentication no"],
      ...["AcceptEnv OWN PULUMI_COMMAND_STDOUT", "Subsystem sftp internal-sftp", "MaxStartups 100"],
    ];
    writeFileSync(configuration, `${lines.join("\n")}\n`);
    return new Sshd(port, host.public, configuration);
  }

  async start(): Promise<void> {
    this.process = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", this.configuration], { stdio: "ignore" });
    for (let i = 0; i < 250 && !(await listens(this.port)); i++) await sleep(20);
  }

  async stop(): Promise<void> {
    const { process } = this;
    this.process = undefined;
    if (process === undefined || process.exitCode !== null) return;
    process.kill("SIGTERM");
    await once(process, "exit");
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
