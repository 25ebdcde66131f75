import assert from "node:assert/strict";
import { beforeCommand, execCommand } from "../../cli/exec.ts";

describe("keelson exec", () => {
  for (const [typed, meant] of Object.entries({
    "vps1 web ls": "vps1 web -- ls",
    "vps1 web ls -l --all": "vps1 web -- ls -l --all",
    "-s prod vps1 web psql -c x -s y": "-s prod vps1 web -- psql -c x -s y",
    "vps1 -it web --stack prod sh -c x": "vps1 -it web --stack prod -- sh -c x",
    "--stack=prod vps1 web -its prod2 node --version": "--stack=prod vps1 web -its prod2 -- node --version",
    "vps1 web -- ls -l -- x": "vps1 web -- ls -l -- x",
    "vps1 -- web ls": "vps1 -- web ls",
    "vps1 web ls -- -l": "vps1 web -- ls -- -l",
    "vps1 web": "vps1 web",
    "--help": "--help",
  }))
    it(`takes ${typed} for ${meant}`, () => assert.deepEqual(beforeCommand(typed.split(" ")), meant.split(" ")));

  it("leaves the options of the command alone, and knows its own", async () => {
    const asked: unknown[] = [];
    const command = execCommand().exitOverride();
    command.action((...args) => void asked.push(...args.slice(0, 4)));
    await command.parseAsync(["vps1", "web", "-nt", "-sprod", "sh", "-s", "-c", "--help"], { from: "user" });
    assert.deepEqual(asked, ["vps1", "web", ["sh", "-s", "-c", "--help"], { stack: "prod", tty: true, stdin: false }]);
  });
});
