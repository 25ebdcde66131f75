import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const module = join(import.meta.dirname, "../../cli/signals.ts");

/** Runs a program that uses the module, sends it a signal once it says so, and tells how it ended. */
async function signalled(program: string, signal: NodeJS.Signals) {
  const source = `import { answerSignals, endOnSignals } from ${JSON.stringify(module)};
    process.on("exit", () => console.log("undone")); endOnSignals(); setInterval(() => {}, 1000);
    ${program}
    console.log("ready");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (data) => {
    if (said === "") child.kill(signal);
    said += data;
  });
  const [code] = await once(child, "close");
  return { code, said: said.trim().split("\n") };
}

describe("signals", () => {
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    it(`${signal} ends in order with ${code}`, async () => {
      assert.deepEqual(await signalled("", signal), { code, said: ["ready", "undone"] });
    });
  }

  it("end in order whatever else listens", async () => {
    const program = 'process.on("SIGINT", () => {});';
    assert.deepEqual(await signalled(program, "SIGINT"), { code: 130, said: ["ready", "undone"] });
  });

  it("are the command's own matter while it answers them", async () => {
    const program = "answerSignals((signal) => { console.log(signal); process.exit(5); });";
    assert.deepEqual(await signalled(program, "SIGINT"), { code: 5, said: ["ready", "SIGINT", "undone"] });
  });

  it("end in order again when it has done with that", async () => {
    const program = "answerSignals(() => {})();";
    assert.deepEqual(await signalled(program, "SIGINT"), { code: 130, said: ["ready", "undone"] });
  });
});

describe("output that nobody reads any more", () => {
  it("ends a command in order, as with `keelson logs -f … | head`", async () => {
    const main = join(import.meta.dirname, "../../cli/main.ts");
    const child = spawn(process.execPath, [main, "--help"], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    let said = "";
    child.stderr.on("data", (data) => {
      said += data;
    });
    const [code] = await once(child, "close");
    assert.deepEqual([code, said], [0, ""]);
  });
});
