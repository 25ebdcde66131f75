import { type ChildProcess, spawn } from "node:child_process";

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The gateway as a child of the loader. */
export interface Gateway {
  readonly pid: number | undefined;
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
}

/** What only the loader may know; kept in step with SECRET_VARIABLES by a test. */
const SECRETS = ["TOOL_LOADER_S3_ACCESS_KEY_ID", "TOOL_LOADER_S3_SECRET_ACCESS_KEY", "TOOL_LOADER_S3_SESSION_TOKEN"];

/** The gateway's environment: the container's, without the volume's keys, with the tools' commands last on PATH. */
export function gatewayEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const out = { ...env };
  for (const name of SECRETS) delete out[name];
  const roots = [env.TOOL_LOADER_ROOT || "/data/tools", env.TOOL_LOADER_EPHEMERAL_ROOT || "/var/tmp/tool-loader"];
  const path = (env.PATH ?? "/usr/local/bin:/usr/bin:/bin").split(":");
  out.PATH = [...new Set([...path, ...roots.map((r) => `${r}/bin`)])].join(":");
  return out;
}

/**
 * Starts the gateway. This is the first thing that `serve` does: this file imports next to nothing, so that the loader
 * costs the gateway's start no more than node's own.
 */
export function startGateway(argv: readonly string[], env: NodeJS.ProcessEnv): Gateway {
  const child: ChildProcess = spawn(argv[0] as string, argv.slice(1), {
    stdio: "inherit",
    env: gatewayEnvironment(env),
  });
  const ended = new Promise<Ended>((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      process.stderr.write(`tool-loader: the gateway could not be started: ${error.message}\n`);
      resolve({ code: error.code === "EACCES" ? 126 : 127, signal: null });
    });
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  return { pid: child.pid, ended, kill: (signal) => void child.kill(signal) };
}
