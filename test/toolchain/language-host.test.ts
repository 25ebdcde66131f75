import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { credentials, Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import language from "@pulumi/pulumi/proto/language_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/language_pb.js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import monitor from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";

const main = join(import.meta.dirname, "../../toolchain/language-host/main.ts");
/** Stands for the SDK's runner in a program's node_modules: shows what it was given, then ends as the program says. */
const RUNNER = `
const { PULUMI_CONFIG, PULUMI_CONFIG_SECRET_KEYS, PULUMI_NODEJS_TYPESCRIPT } = process.env;
console.log(JSON.stringify({ argv: process.argv.slice(2), cwd: process.cwd(), PULUMI_CONFIG, PULUMI_CONFIG_SECRET_KEYS, PULUMI_NODEJS_TYPESCRIPT }));
if (process.argv.includes("forever")) setInterval(() => {}, 1000);
else process.exitCode = Number(process.argv.at(-1));
`;

describe("language host", () => {
  let folder: string;
  let host: ChildProcess;
  let lines: AsyncIterator<string>;
  let client: InstanceType<typeof language.LanguageRuntimeClient>;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "keelson host "));
    const sdk = join(folder, "node_modules", "@pulumi", "pulumi");
    mkdirSync(join(sdk, "cmd", "run"), { recursive: true });
    writeFileSync(join(sdk, "package.json"), '{"name":"@pulumi/pulumi","version":"3.0.1"}');
    writeFileSync(join(sdk, "cmd", "run", "index.js"), RUNNER);
    writeFileSync(join(folder, "package.json"), '{"dependencies":{"@pulumi/pulumi":"^3"}}');
    host = spawn(process.execPath, [main, "127.0.0.1:1234"], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, KEELSON_ROOT: folder },
    });
    assert.ok(host.stdout);
    lines = createInterface({ input: host.stdout })[Symbol.asyncIterator]();
    const { value: port } = await lines.next();
    client = new language.LanguageRuntimeClient(`127.0.0.1:${port}`, credentials.createInsecure());
  });
  afterEach(async () => {
    client.close();
    if (host.exitCode === null && host.signalCode === null) {
      host.kill("SIGKILL");
      await once(host, "exit");
    }
    rmSync(folder, { recursive: true });
  });

  function request(...args: string[]): messages.RunRequest {
    const info = new messages.ProgramInfo()
      .setRootDirectory(folder)
      .setProgramDirectory(folder)
      .setEntryPoint("index.ts");
    const made = new messages.RunRequest().setInfo(info).setPwd(folder).setProject("p").setStack("dev").setDryrun(true);
    made.setMonitorAddress("127.0.0.1:99").setParallel(4).setOrganization("o").setArgsList(args);
    made.setConfigsecretkeysList(["p:pw"]).getConfigMap().set("p:pw", "hunter2");
    return made;
  }
  const run = (made: messages.RunRequest) =>
    new Promise<messages.RunResponse>((done, failed) =>
      client.run(made, (error, response) => (response ? done(response) : failed(error))),
    );

  it("runs the program's own SDK with what the engine gave, secrets in no argument", async () => {
    const response = await run(request("0"));
    assert.deepEqual([response.getError(), response.getBail()], ["", false]);
    const { argv, ...rest } = JSON.parse((await lines.next()).value);
    assert.deepEqual(argv, [
      "--monitor=127.0.0.1:99",
      "--engine=127.0.0.1:1234",
      "--organization=o",
      "--project=p",
      `--root-directory=${folder}`,
      "--stack=dev",
      `--pwd=${folder}`,
      "--parallel=4",
      "--dry-run",
      "index.ts",
      "0",
    ]);
    assert.deepEqual(rest, {
      cwd: folder,
      PULUMI_CONFIG: '{"p:pw":"hunter2"}',
      PULUMI_CONFIG_SECRET_KEYS: '["p:pw"]',
      PULUMI_NODEJS_TYPESCRIPT: "false",
    });
  });

  it("gives a program more config than an environment takes", async () => {
    const made = request("0");
    const services = "é".repeat(200_000);
    made.getConfigMap().set("p:services", services);
    assert.equal((await run(made)).getError(), "");
    const { PULUMI_CONFIG, argv } = JSON.parse((await lines.next()).value);
    assert.deepEqual(JSON.parse(PULUMI_CONFIG), { "p:pw": "hunter2", "p:services": services });
    assert.ok(!argv.join().includes("hunter2"));
  });

  it("has the engine start the plugin while its own checkout's program loads, and no other's", async () => {
    const asked: string[] = [];
    const server = new Server();
    server.addService(monitor.ResourceMonitorService, {
      invoke: (call: { request: { getTok(): string } }, done: (error: null, answer: unknown) => void) => {
        asked.push(call.request.getTok());
        done(null, new provider.InvokeResponse());
      },
    } as UntypedServiceImplementation);
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    try {
      const made = request("forever").setMonitorAddress(`127.0.0.1:${port}`);
      const elsewhere = request("0").setMonitorAddress(`127.0.0.1:${port}`);
      elsewhere.getInfo()?.setRootDirectory("/elsewhere");
      assert.equal((await run(elsewhere)).getError(), "");
      const running = run(made);
      while (asked.length === 0) await sleep(10);
      client.cancel(new empty.Empty(), () => {});
      await running;
      assert.deepEqual(asked, ["keelson:index:ready"]);
    } finally {
      server.forceShutdown();
    }
  });

  it("tells a program's exit code", async () => {
    assert.equal((await run(request("3"))).getError(), "the program exited with code 3");
  });

  it("adds nothing to what the SDK has told already", async () => {
    const response = await run(request("32"));
    assert.deepEqual([response.getError(), response.getBail()], ["", true]);
  });

  it("says when the program has no SDK", async () => {
    rmSync(join(folder, "node_modules"), { recursive: true });
    await assert.rejects(run(request("0")), /Cannot find module '@pulumi\/pulumi\/cmd\/run\/index\.js'/);
  });

  it("ends the program when it is cancelled", async () => {
    const running = run(request("forever"));
    await lines.next();
    client.cancel(new empty.Empty(), () => {});
    assert.equal((await running).getError(), "the program was ended by SIGKILL");
  });

  it("takes the program with it when the engine is gone", async () => {
    run(request("forever")).catch(() => {});
    await lines.next();
    host.stdin?.end();
    await once(host, "close"); // the program would hold stdout open
    assert.equal(host.exitCode, 0);
  });

  it("lists the dependencies that are installed", async () => {
    const info = new messages.ProgramInfo().setProgramDirectory(folder);
    const asked = new messages.GetProgramDependenciesRequest().setInfo(info);
    const response = await new Promise<messages.GetProgramDependenciesResponse>((done, failed) =>
      client.getProgramDependencies(asked, (error, found) => (found ? done(found) : failed(error))),
    );
    assert.deepEqual(
      response.getDependenciesList().map((d) => [d.getName(), d.getVersion()]),
      [["@pulumi/pulumi", "3.0.1"]],
    );
  });
});
