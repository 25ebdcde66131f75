import assert from "node:assert/strict";
import sinon from "sinon";
import { parse } from "yaml";
import { machineCommand } from "../../cli/machine.ts";
import { UserError } from "../../core/error.ts";

describe("keelson machine", () => {
  afterEach(() => sinon.restore());

  async function run(...args: string[]): Promise<string> {
    const log = sinon.stub(console, "log");
    try {
      await machineCommand().parseAsync(args, { from: "user" });
      return log
        .getCalls()
        .map((call) => call.args.join(" "))
        .join("\n");
    } finally {
      log.restore();
    }
  }

  it("list shows each machine with its card's facts", async () => {
    const text = await run("list");
    assert.match(text, /^rtx-4090 +GeForce RTX 4090 +8\.9 +11\.8 +24 GiB +16 +64 GiB +linux\/amd64$/m);
    assert.match(text, /^none +- /m);
    const entries = JSON.parse(await run("list", "--json"));
    assert.equal(entries.length, text.split("\n").length - 2);
    assert.equal(entries.find((e: { name: string }) => e.name === "h100").gpu.capability, "9.0");
  });

  it("show gives facts with sources and the environment", async () => {
    const text = await run("show", "rtx-3060");
    assert.match(text, /^GPU memory +12 GiB +https:\/\//m);
    assert.match(text, /^ {2}THREAD_WORKERS=8$/m);
    const file = parse(await run("show", "rtx-3060", "--json"));
    assert.equal(file.environment.OMP_NUM_THREADS, "4");
  });

  it("show names an unknown machine with what is near", async () => {
    await assert.rejects(
      run("show", "rtx-4080"),
      (error) => error instanceof UserError && /did you mean/.test(error.fix),
    );
  });
});
