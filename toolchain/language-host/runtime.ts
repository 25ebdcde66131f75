import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Writable } from "node:stream";
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import messages from "@pulumi/pulumi/proto/language_pb.js";
import plugins from "@pulumi/pulumi/proto/plugin_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";

/** What the SDK's runner exits with after it has told the user what is wrong. */
const ALREADY_REPORTED = 32;

/**
 * Bytes of config above which it goes through a pipe instead of the environment. Linux takes 131,072 for one variable with
 * its name and end (execve(2), MAX_ARG_STRLEN); thousands of services are more.
 */
const LARGE = 120_000;
const FROM_PIPE = ["--import", new URL("large-config.ts", import.meta.url).href];
const LAZY = ["--import", new URL("lazy-sdk.ts", import.meta.url).href];

type Call<Request> = ServerUnaryCall<Request, unknown>;
type Answer<Response> = sendUnaryData<Response>;

/**
 * Pulumi's LanguageRuntime for programs that this node runs as they are: its own type stripping, no compiler. Plugins
 * are not announced ahead, so that the engine looks only for those that a program uses.
 * @param engine address of the engine, as the engine passes it.
 */
export function languageRuntime(engine: string) {
  const running = new Set<ChildProcess>();

  async function run(request: messages.RunRequest): Promise<messages.RunResponse> {
    const config = JSON.stringify(Object.fromEntries(request.getConfigMap().toArray()));
    const isLarge = Buffer.byteLength(config) > LARGE;
    const first = [...(isOwn(request) ? LAZY : []), ...(isLarge ? FROM_PIPE : [])];
    const child = spawn(process.execPath, [...first, ...runArguments(request, engine)], {
      cwd: request.getInfo()?.getProgramDirectory() || request.getPwd(),
      env: { ...process.env, ...runEnvironment(request), ...(isLarge ? {} : { PULUMI_CONFIG: config }) },
      stdio: ["ignore", "inherit", "inherit", isLarge ? "pipe" : "ignore"],
    });
    // A program that ends before it has read all of it says why itself.
    const pipe = child.stdio[3] as Writable | null;
    pipe?.on("error", () => undefined).end(config);
    running.add(child);
    if (isOwn(request)) void import("./early.ts").then(({ startPlugin }) => startPlugin(request.getMonitorAddress()));
    return new Promise((resolve) => {
      child.on("error", (error) => resolve(new messages.RunResponse().setError(`can't start node: ${error.message}`)));
      child.on("exit", (code, signal) => {
        running.delete(child);
        resolve(runResponse(code, signal));
      });
    });
  }

  function install(call: ServerWritableStream<messages.InstallDependenciesRequest, unknown>): void {
    const child = spawn("npm", ["ci"], { cwd: call.request.getDirectory(), stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", (data) => call.write(new messages.InstallDependenciesResponse().setStdout(data)));
    child.stderr.on("data", (data) => call.write(new messages.InstallDependenciesResponse().setStderr(data)));
    child.on("error", (error) => call.emit("error", error));
    child.on("close", (code) => (code ? call.emit("error", new Error(`npm ci exited with ${code}`)) : call.end()));
  }

  function cancel(): void {
    for (const child of running) child.kill("SIGKILL");
  }

  return {
    cancel,
    handlers: {
      handshake: answer(() => new messages.LanguageHandshakeResponse()),
      getPluginInfo: answer(() => new plugins.PluginInfo().setVersion(process.versions.node)),
      getRequiredPlugins: answer(() => new messages.GetRequiredPluginsResponse()),
      getRequiredPackages: answer(() => new messages.GetRequiredPackagesResponse()),
      runtimeOptionsPrompts: answer(() => new messages.RuntimeOptionsResponse()),
      about: answer(() =>
        new messages.AboutResponse().setExecutable(process.execPath).setVersion(`v${process.versions.node}`),
      ),
      getProgramDependencies: answer(dependencies),
      installDependencies: install,
      run: (call: Call<messages.RunRequest>, callback: Answer<messages.RunResponse>) => {
        call.on("cancelled", cancel);
        run(call.request).then((response) => callback(null, response), callback);
      },
      cancel: answer(() => {
        cancel();
        return new empty.Empty();
      }),
    },
  };
}

function answer<Request, Response>(make: (request: Request) => Response) {
  return (call: Call<Request>, callback: Answer<Response>) => {
    try {
      callback(null, make(call.request));
    } catch (error) {
      callback(error as Error);
    }
  };
}

/** Whether the program is that of the checkout which this host belongs to: others have no plugin of ours. */
function isOwn(request: messages.RunRequest): boolean {
  return request.getInfo()?.getRootDirectory() === process.env.KEELSON_ROOT;
}

/** The command line of the SDK's runner, found from the program: it must be the copy of the SDK that the program loads. */
function runArguments(request: messages.RunRequest, engine: string): string[] {
  const folder = request.getInfo()?.getProgramDirectory() || request.getPwd();
  const runner = createRequire(join(folder, "package.json")).resolve("@pulumi/pulumi/cmd/run/index.js");
  const options: [string, string][] = [
    ["monitor", request.getMonitorAddress()],
    ["engine", engine],
    ["organization", request.getOrganization()],
    ["project", request.getProject()],
    ["root-directory", request.getInfo()?.getRootDirectory() ?? ""],
    ["stack", request.getStack()],
    ["pwd", request.getPwd()],
    ["parallel", request.getParallel() ? String(request.getParallel()) : ""],
  ];
  return [
    // The SDK sets this flag in the middle of its start. Code that node has compiled and kept is good for one set of flags:
    // so this host, our plugin and the command line set it as well, and all of them share what is kept.
    "--allow-natives-syntax",
    runner,
    ...options.filter(([, value]) => value).map(([name, value]) => `--${name}=${value}`),
    ...(request.getDryrun() ? ["--dry-run"] : []),
    request.getInfo()?.getEntryPoint() || ".",
    ...request.getArgsList(),
  ];
}

function runEnvironment(request: messages.RunRequest): Record<string, string> {
  return {
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    // The runner would load ts-node otherwise.
    PULUMI_NODEJS_TYPESCRIPT: "false",
  };
}

function runResponse(code: number | null, signal: NodeJS.Signals | null): messages.RunResponse {
  const response = new messages.RunResponse();
  if (code === 0) return response;
  if (code === ALREADY_REPORTED) return response.setBail(true);
  return response.setError(signal ? `the program was ended by ${signal}` : `the program exited with code ${code}`);
}

/** For `pulumi about`: what package.json asks for, in the versions that are installed. */
function dependencies(request: messages.GetProgramDependenciesRequest): messages.GetProgramDependenciesResponse {
  const folder = request.getInfo()?.getProgramDirectory() || request.getPwd();
  const wanted = Object.keys(readJson(join(folder, "package.json")).dependencies ?? {});
  return new messages.GetProgramDependenciesResponse().setDependenciesList(
    wanted.map((name) => {
      const { version = "" } = readJson(join(folder, "node_modules", name, "package.json"));
      return new messages.DependencyInfo().setName(name).setVersion(version);
    }),
  );
}

function readJson(path: string): { version?: string; dependencies?: Record<string, string> } {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return {};
  }
}
