import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../../core/error.ts";
import { identify, isRunning, waitForEnd } from "../../../toolchain/services/process.ts";
import {
  boundLog,
  ensureRunning,
  logFile,
  logTail,
  runningProcesses,
  type Service,
  type ServiceRemains,
  stopService,
  wasStarted,
} from "../../../toolchain/services/supervise.ts";

/** A daemon that listens on a unix socket; its arguments choose how it misbehaves. */
const DAEMON = `
const [socket, ...how] = process.argv.slice(2);
if (how.includes("--broken")) { console.error("no such disk\\n\\nlast words"); process.exit(3); }
if (how.includes("--deaf")) process.on("SIGTERM", () => {});
if (!how.includes("--silent")) {
  require("node:fs").rmSync(socket, { force: true });
  require("node:net").createServer().listen(socket);
}
setInterval(() => {}, 1000);
`;

describe("supervision", function () {
  this.timeout(30_000);
  let folder: string;
  let directory: string;
  let sweeps: number;
  before(function () {
    if (process.platform !== "linux") this.skip();
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-supervise-"));
    directory = join(folder, "a service");
    sweeps = 0;
    await writeFile(join(folder, "daemon.cjs"), DAEMON);
  });
  afterEach(async () => {
    await stopService(remains());
    await rm(folder, { recursive: true });
  });

  const socket = () => join(folder, "socket");
  const service = (changes: Partial<Service> = {}, ...how: string[]): Service => ({
    name: "daemon",
    directory,
    command: process.execPath,
    args: [join(folder, "daemon.cjs"), socket(), ...how],
    env: {},
    revision: "1",
    answers: () =>
      new Promise((resolve) => {
        const client = connect(socket());
        client.once("connect", () => client.end(() => resolve(true)));
        client.once("error", () => resolve(false));
      }),
    readyWithin: 10,
    ...changes,
  });
  const remains = (...how: string[]): ServiceRemains => ({
    name: "daemon",
    directory,
    args: [join(folder, "daemon.cjs"), socket(), ...how],
    grace: 1,
    sweep: async () => {
      sweeps++;
    },
  });
  const pid = async () => (await runningProcesses(remains()))[0]?.pid;

  it("starts a service once, detached, and finds it running after that", async () => {
    assert.equal(await ensureRunning(service(), remains()), "started");
    const first = await pid();
    assert.ok(first);
    assert.equal(await ensureRunning(service(), remains()), "running");
    assert.equal(await pid(), first);
    const fields = (await readFile(`/proc/${first}/stat`, "utf8")).split(") ")[1]?.split(" ");
    assert.deepEqual([fields?.[2], fields?.[3]], [String(first), String(first)], "leads its own group and session");
    assert.equal((await stat(join(directory, "pid.json"))).mode & 0o777, 0o600);
  });

  it("starts it anew after kill -9", async () => {
    await ensureRunning(service(), remains());
    const [first] = await runningProcesses(remains());
    assert.ok(first);
    process.kill(first.pid, "SIGKILL");
    assert.deepEqual(await waitForEnd([first], 10), []);
    assert.equal(await ensureRunning(service(), remains()), "restarted");
    assert.notEqual(await pid(), first.pid);
    assert.ok(await wasStarted(directory));
  });

  it("starts it anew when its configuration changed", async () => {
    await ensureRunning(service(), remains());
    const first = await pid();
    assert.equal(await ensureRunning(service({ revision: "2" }), remains()), "restarted");
    assert.notEqual(await pid(), first);
    assert.equal(
      await pid()
        .then((p) => (p === undefined ? undefined : identify(p)))
        .then(Boolean),
      true,
    );
  });

  it("leaves a stranger alone whose pid stands in a stale pid file", async () => {
    const stranger = spawn("sleep", ["60"]);
    const identity = await identify(stranger.pid ?? 0);
    assert.ok(identity);
    try {
      await mkdir(directory);
      const record = { ...identity, startTicks: "1", revision: "1" };
      await writeFile(join(directory, "pid.json"), JSON.stringify(record));
      assert.equal(await pid(), undefined);
      assert.equal(await ensureRunning(service(), remains()), "restarted");
      assert.ok(await isRunning(identity), "the stranger lives");
      await stopService(remains());
      assert.ok(await isRunning(identity), "and outlives the service");
    } finally {
      stranger.kill("SIGKILL");
    }
  });

  for (const damage of ["", "{", '{"pid":-1}', undefined]) {
    it(`replaces a service whose pid file is ${damage === undefined ? "gone" : JSON.stringify(damage)}`, async () => {
      await ensureRunning(service(), remains());
      const first = await identify((await pid()) ?? 0);
      assert.ok(first);
      const file = join(directory, "pid.json");
      await (damage === undefined ? rm(file) : writeFile(file, damage));
      await ensureRunning(service(), remains());
      assert.equal(await isRunning(first), false, "no second one beside it");
      assert.equal((await runningProcesses(remains())).length, 1);
    });
  }

  it("says what a service that ends at once wrote last, and leaves nothing of it", async () => {
    await assert.rejects(ensureRunning(service({}, "--broken"), remains("--broken")), (error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /daemon ended while it started \(exit code 3\)\n {2}no such disk\n {2}last words$/);
      assert.match(error.fix, /read its log: .*a service\/log/);
      return true;
    });
    assert.equal(await wasStarted(directory), false);
    assert.deepEqual(await logTail(directory, 1), ["last words"]);
  });

  it("gives up on a service that never answers, and ends it", async () => {
    const silent = service({ readyWithin: 0.3 }, "--silent");
    await assert.rejects(ensureRunning(silent, remains("--silent")), /did not answer within 0\.3 s/);
    assert.deepEqual(await runningProcesses(remains("--silent")), []);
  });

  it("says that a program is missing", async () => {
    const missing = service({ command: join(folder, "no such program") });
    await assert.rejects(ensureRunning(missing, remains()), /ENOENT/);
  });

  it("kills what ignores SIGTERM, sweeps, and says whether anything ran", async () => {
    await ensureRunning(service({}, "--deaf"), remains("--deaf"));
    sweeps = 0;
    assert.equal(await stopService(remains("--deaf")), true);
    assert.equal(sweeps, 1);
    assert.equal(await wasStarted(directory), false);
    assert.equal(await stopService(remains("--deaf")), false);
  });

  it("keeps the log within bounds while a run goes on", async () => {
    await mkdir(directory, { recursive: true });
    boundLog(directory, 10);
    for (const size of [10e6 + 1, 10e6 + 2]) {
      await writeFile(logFile(directory), "x".repeat(size));
      for (let i = 0; i < 500 && (await stat(logFile(directory))).size > 0; i++)
        await new Promise((turn) => setTimeout(turn, 10));
      assert.equal((await stat(`${logFile(directory)}.1`)).size, size);
    }
    await writeFile(logFile(directory), "short\n");
    await new Promise((turn) => setTimeout(turn, 50));
    assert.deepEqual(await logTail(directory, 1), ["short"]);
  });

  it("keeps the log within bounds, without losing what the process writes next", async () => {
    await ensureRunning(service(), remains());
    await writeFile(logFile(directory), "x".repeat(10e6 + 1));
    await ensureRunning(service(), remains());
    assert.equal((await stat(logFile(directory))).size, 0);
    assert.equal((await stat(`${logFile(directory)}.1`)).size, 10e6 + 1);
  });
});
