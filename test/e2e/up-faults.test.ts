import assert from "node:assert/strict";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { home } from "../../toolchain/home.ts";
import { silent } from "../../toolchain/progress.ts";
import { lastKnownServices, servicesStatus, stopServices } from "../../toolchain/services/index.ts";
import { type Checkout, type Lab, makeLab, NODE, type Run } from "./faults/lab.ts";

/** A moment of a run at which something goes wrong. */
interface Point {
  readonly name: string;
  readonly args?: readonly string[];
  /** Makes the run pass the moment, and gives back what undoes that. */
  readonly prepare: () => Promise<(() => unknown) | undefined>;
  readonly reach: (run: Run) => Promise<void>;
}

/** What `npm run up` does when it is stopped, killed or refused at any moment. Needs root and the toolchain. */
describe("npm run up under faults", function () {
  this.timeout("15m");
  let lab: Lab;
  let checkout: Checkout;

  before(async () => {
    lab = await makeLab();
    checkout = await lab.checkout("a check out");
    await succeeds(checkout.up());
  });
  after(async () => {
    await stopServices(silent);
    await lab.remove();
  });

  async function succeeds(run: Run): Promise<string> {
    const { exitCode, all } = await run.end();
    assert.equal(exitCode, 0, all);
    return all;
  }
  async function fails(run: Run, ...patterns: RegExp[]): Promise<string> {
    const { exitCode, all } = await run.end();
    assert.notEqual(exitCode, 0, all);
    for (const pattern of patterns) assert.match(all, pattern);
    assert.doesNotMatch(all, /\n\s+at /, all);
    return all;
  }
  const nothingRuns = async (of: Checkout) => {
    for (let i = 0; i < 200 && (await of.processes()).length > 0; i++) await sleep(50);
    assert.deepEqual(await of.processes(), [], "no process is left");
  };
  const registryPid = async () => {
    const pid = (await servicesStatus()).find(({ name }) => name === "registry")?.pid;
    assert.ok(pid);
    return pid;
  };
  /** How often an image's platform was built, by what runs said. */
  const built = (...said: string[]) => said.join("").match(/^small +linux\/\S+ .* built /gm)?.length ?? 0;

  const said =
    (text: string, delay = 0) =>
    async (run: Run) => {
      await run.until(text, () => run.said().includes(text));
      await sleep(delay);
    };
  const edited = async () => {
    checkout.edit();
    return undefined;
  };
  const points: readonly Point[] = [
    {
      name: "while a tool is built",
      prepare: async () => {
        const [from, to] = [join(home().tools, "buildctl"), join(home().tools, "away")];
        await rename(from, to);
        await stopServices(silent);
        return async () => {
          rmSync(from, { recursive: true, force: true });
          await rename(to, from);
        };
      },
      reach: said("built from Go modules", 300),
    },
    {
      name: "while the services start",
      prepare: async () => {
        await stopServices(silent);
        return undefined;
      },
      reach: said("] builder …", 150),
    },
    {
      name: "while the stack is made",
      prepare: async () => {
        rmSync(join(checkout.root, ".keelson/state"), { recursive: true });
        return undefined;
      },
      reach: said("] stack …", 150),
    },
    { name: "in a preview", args: ["--preview", "--yes"], prepare: edited, reach: said("Previewing", 500) },
    { name: "as the engine begins", prepare: edited, reach: said("Updating (dev)", 100) },
    {
      name: "while the base is pushed",
      prepare: async () => {
        checkout.edit();
        const repositories = join(home().services, "registry/data/docker/registry/v2/repositories");
        rmSync(join(repositories, "library"), { recursive: true, force: true });
        return undefined;
      },
      reach: (run) => run.until("the base's push", () => checkout.uploading("library/debian") > 0),
    },
    {
      name: "while an image is built",
      prepare: edited,
      reach: (run) => run.until("the build", () => checkout.isBuilding()),
    },
    {
      name: "while an image is pushed",
      prepare: async () => {
        checkout.edit();
        return async () => process.kill(await registryPid(), "SIGCONT");
      },
      reach: async (run) => {
        const [before, pid] = [checkout.uploading("small"), await registryPid()];
        await run.until("the push", () => checkout.uploading("small") > before);
        process.kill(pid, "SIGSTOP"); // the push stands still until it is told to go on
      },
    },
  ];

  describe("a Ctrl-C", () => {
    for (const { name, args, prepare, reach } of points)
      it(`${name} leaves nothing behind`, async () => {
        const undo = await prepare();
        try {
          const run = checkout.up(args);
          await reach(run);
          process.kill(-run.pid, "SIGINT"); // what a terminal sends: to the whole group
          await fails(run);
          await nothingRuns(checkout);
          assert.deepEqual([checkout.locks(), checkout.leftovers()], [[], []]);
        } finally {
          await undo?.();
        }
        const next = await succeeds(checkout.up());
        assert.doesNotMatch(next, /pending operation|took away/);
      });
  });

  describe("kill -9", () => {
    for (const [who, sign] of [
      ["of all of its group", -1],
      ["of keelson alone", 1],
    ] as const)
      for (const { name, args, prepare, reach } of points)
        it(`${who} ${name} is told and put right by the next run`, async () => {
          const undo = await prepare();
          try {
            const run = checkout.up(args, NODE);
            await reach(run);
            process.kill(sign * run.pid, "SIGKILL");
            await run.end();
          } finally {
            await undo?.();
          }
          const next = await succeeds(checkout.up());
          assert.match(
            next,
            /took away the lock of process \d+ .*\(keelson up of stack dev\), since \S+Z, which was killed/,
          );
          assert.doesNotMatch(next, /pending operation/);
          await nothingRuns(checkout);
          assert.deepEqual([checkout.locks(), checkout.leftovers()], [[], []]);
        });
  });

  it("two at once in one checkout: one waits, says so, and finds all done", async () => {
    checkout.edit();
    const both = await Promise.all([checkout.up(), checkout.up()].map(succeeds));
    assert.equal(both.join("").match(/waiting for process \d+ .*\(keelson up of stack dev\)/g)?.length, 1);
    assert.equal(built(...both), 1, both.join("\n"));
  });

  it("two at once in two checkouts build nothing twice", async () => {
    const other = await lab.checkout("another");
    checkout.edit();
    other.copyFrom(checkout);
    const both = await Promise.all([checkout.up(), other.up()].map(succeeds));
    assert.equal(built(...both), 1, both.join("\n"));
    assert.deepEqual([checkout.locks(), other.locks()], [[], []]);
  });

  it("a registry that is killed during a push is told, and the next run goes on", async () => {
    checkout.edit();
    const [before, pid] = [checkout.uploading("small"), await registryPid()];
    const run = checkout.up();
    await run.until("the push", () => checkout.uploading("small") > before);
    process.kill(pid, "SIGKILL");
    // On a slow machine the layers may be there already: then it is the manifest that can't be read back.
    const fix = /fix: (?:see that the registry answers|check that localhost:\d+ is right, runs)/;
    await fails(run, /small: 1 of 1 platform failed/, fix, /stack dev is not up/);
    await nothingRuns(checkout);
    const next = await succeeds(checkout.up());
    assert.match(next, /registry: listens on localhost:\d+/);
    assert.match(next, /^small +linux\/\S+ .* (?:built|reused) /m);
  });

  it("a registry's port that is taken is given up for another, which is said", async () => {
    await succeeds(checkout.up());
    const port = Number((await lastKnownServices())?.registry.host.split(":")[1]);
    await stopServices(silent);
    const thief = createServer().listen(port, "127.0.0.1");
    // Another suite's registry may have been faster: then that is the thief.
    await once(thief, "listening").catch((error: NodeJS.ErrnoException) => assert.equal(error.code, "EADDRINUSE"));
    try {
      const all = await succeeds(checkout.up());
      const moved = /port (\d+) is taken by another program: the embedded registry now uses (\d+)/.exec(all);
      assert.equal(moved?.[1], String(port), all);
      assert.match(all, new RegExp(`registry: localhost:${moved?.[2]} `));
      assert.equal(built(all), 0, "the images moved along");
    } finally {
      thief.close();
    }
  });

  it("a state that a killed engine left unreadable is read again", async () => {
    await writeFile(join(checkout.root, ".keelson/state/.pulumi/stacks/keelson/dev.json.attrs"), "");
    assert.match(await succeeds(checkout.up()), /^0 of \d+ images changed\./m);
  });

  describe("a disk that does not do", () => {
    /** Runs a command with a small file system at `place`, mounted for it alone. */
    const on = async (options: string, ...command: string[]) => {
      const place = join(lab.temporary.folder, "small disk");
      await mkdir(place, { recursive: true });
      const script = `mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"`;
      const env = { KEELSON_HOME: join(place, "home") };
      const args = ["--mount", "sh", "-c", script, "sh", options, place, ...command];
      const { exitCode, all } = await execa("unshare", args, { cwd: checkout.root, env, all: true, reject: false });
      assert.equal(exitCode, 1, all);
      assert.doesNotMatch(all, /\n\s+at /, all);
      return all;
    };

    it("is told before anything starts, with what is needed", async () => {
      const all = await on("size=100m", ...NODE);
      assert.match(all, /error: a first `npm run up` needs 10\.0 GB of disk, and .*small disk\/home has \d+ MB left/);
      assert.match(all, /make room, or set KEELSON_HOME to a folder on a larger disk/);
      assert.doesNotMatch(all, /\[1\//);
    });

    it("is told before a first build where the tools are there already", async () => {
      const link = `mkdir -p "$KEELSON_HOME" && ln -s "$1" "$KEELSON_HOME/tools" && shift && exec "$@"`;
      const all = await on("size=100m", "sh", "-c", link, "sh", home().tools, ...NODE);
      assert.match(all, /error: a first build needs 4\.0 GB of disk, and .*small disk\/home has \d+ MB left/);
      assert.doesNotMatch(all, /\[1\//);
    });

    it("is told before node is fetched, too", async () => {
      const program = `import { ensureNode } from ${JSON.stringify(join(checkout.root, "toolchain/bootstrap/node.mjs"))};
        await ensureNode().catch((error) => { console.error(error.message); process.exit(1); });`;
      const all = await on("size=20m", process.execPath, "--input-type=module", "-e", program);
      assert.match(all, /getting node \S+ needs 300 MB of disk, and .*home has \d+ MB left\n {2}make room/);
    });

    it("is told when it is read-only", async () => {
      const all = await on("ro", ...NODE);
      assert.match(all, /error: keelson keeps its tools in .*small disk\/home, which can't be written \(\w+\)/);
      assert.match(all, /set KEELSON_HOME to a folder that you can write, with 10 GB of room/);
    });
  });
});
