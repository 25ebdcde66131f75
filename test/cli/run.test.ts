import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sinon from "sinon";
import { run } from "../../cli/run.ts";

const folder = join(import.meta.dirname, "../../cli");

/** The names that the files of cli/ give their commands. */
function defined(): string[] {
  return readdirSync(folder)
    .flatMap((file) => {
      const text = readFileSync(join(folder, file), "utf8");
      return /export function \w+Command\(/.test(text)
        ? [/new (?:Command|Exec)\("([a-z-]+)"\)/.exec(text)?.[1] ?? file]
        : [];
    })
    .toSorted();
}

/** What a command line prints, and its exit code. */
async function printed(...args: string[]): Promise<{ code: number; text: string }> {
  let text = "";
  const streams = [process.stdout, process.stderr].map((stream) =>
    sinon.stub(stream, "write").callsFake((chunk) => {
      text += String(chunk);
      return true;
    }),
  );
  try {
    return { code: await run(args), text };
  } finally {
    for (const stream of streams) stream.restore();
  }
}

describe("the command line", () => {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const before = new Map(signals.map((signal) => [signal, process.listeners(signal)]));
  afterEach(() => {
    for (const signal of signals)
      for (const listener of process.listeners(signal))
        if (!before.get(signal)?.includes(listener)) process.removeListener(signal, listener);
  });

  it("has every command that is written", async () => {
    const { code, text } = await printed("--help");
    assert.equal(code, 0);
    const listed = [...text.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name]) => name);
    assert.deepEqual(listed.filter((name) => name !== "help").toSorted(), defined());
  });

  for (const verb of ["maintenance", "live"])
    it(`has no ${verb} for a cluster, and says so`, async () => {
      const { code, text } = await printed(verb, "lab", "todo", "--stack", "cluster");
      assert.equal(code, 1);
      assert.match(text, /^error: lab is a cluster: maintenance is for services on hosts, whose proxy is keelson's\n/);
    });

  for (const args of [
    ["-s", "dev", "families", "-s", "nowhere"],
    ["-s", "nowhere", "families"],
    ["cuda", "-s", "nowhere"],
    ["worker", "-s", "nowhere"],
  ])
    it(`asks of the stack that is named: report ${args.join(" ")}`, async () => {
      const { code, text } = await printed("report", ...args);
      assert.equal(code, 1);
      assert.match(text, /Pulumi\.nowhere\.yaml/);
    });

  it("exits with 2 where nobody understands it, and says what is near", async () => {
    const { code, text } = await printed("reporst");
    assert.equal(code, 2);
    assert.match(text, /Did you mean report\?/);
  });

  for (const args of [
    ["report", "cuda", "none", "--stack", "mainpc"],
    ["report", "--stack", "mainpc", "cuda", "none"],
    ["report", "--stack", "dev", "cuda", "none", "--stack", "mainpc"],
  ])
    it(`asks the stack that is named: keelson ${args.join(" ")}`, async () => {
      const { code, text } = await printed(...args);
      assert.equal(code, 1);
      assert.match(text, /"none" is no image of stack mainpc/);
    });

  for (const args of [
    ["services", "bogus"],
    ["services", "logs", "--bogus"],
    ["bases", "bogus"],
    ["tools", "bogus"],
  ])
    it(`exits with 2 for ${args.join(" ")}`, async () => {
      const { code, text } = await printed(...args);
      assert.equal(code, 2, text);
      assert.match(text, /bogus|too many arguments/);
    });
});
