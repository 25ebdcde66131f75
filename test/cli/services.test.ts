import assert from "node:assert/strict";
import { servicesCommand } from "../../cli/services.ts";

describe("keelson services exec", () => {
  const take = async (...typed: string[]) => {
    const asked: unknown[] = [];
    const command = servicesCommand().exitOverride();
    const exec = command.commands.find((one) => one.name() === "exec") ?? assert.fail("no exec");
    exec.action((...args) => void asked.push(...args.slice(0, 3)));
    await command.parseAsync(["exec", ...typed], { from: "user" });
    return asked;
  };

  it("leaves the options of the command alone, and knows its own", async () => {
    assert.deepEqual(await take("gateway", "tool-loader", "prune", "--dry-run"), [
      "gateway",
      ["tool-loader", "prune", "--dry-run"],
      { tty: false },
    ]);
    assert.deepEqual(await take("-t", "gateway", "sh", "-c", "ls -t", "--help"), [
      "gateway",
      ["sh", "-c", "ls -t", "--help"],
      { tty: true },
    ]);
  });
});
