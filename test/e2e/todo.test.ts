import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import type { ImageResult } from "../../core/summary.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureServices, type Services } from "../../toolchain/services/index.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { UNTRACED } from "./buildctl.ts";
import { freePort } from "./port.ts";

const project = join(import.meta.dirname, "../..");
const NATIVE = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";
/** 002's bounds on what images unpack to, in bytes. */
const BOUNDS = { "todo-frontend": 500e6, "todo-backend": 300e6 };

/**
 * 002's images as a user has them: built by a stack that builds nothing else, run beside a PostgreSQL in the builder's
 * sandbox, which is on this machine's network. Needs root, the toolchain and a way to the package mirrors.
 */
describe("the todo images", () => {
  const containers: Container[] = [];
  let folder: string;
  let services: Services;
  let buildctl: string;
  let images: Record<string, ImageResult>;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "keelson todo "));
    services = await ensureServices(silent);
    buildctl = (await ensureTool("buildctl")).path;
  });
  after(async () => {
    for (const container of containers) await container.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  interface Container {
    readonly log: () => string;
    readonly stop: () => Promise<void>;
  }

  /** Runs a command of an image, as its user, until it ends or is stopped. */
  function container(
    name: string,
    from: string,
    command: string,
    env: Readonly<Record<string, string>>,
  ): Container & { readonly ended: Promise<number> } {
    const dir = join(folder, `${name}-${containers.length}`);
    mkdirSync(dir);
    // What this run has alone keeps the builder from taking an earlier run's word for it.
    const variables = Object.entries({ ...env, RUN: `${folder}-${containers.length}` });
    const lines = variables.map(([key, value]) => `ENV ${key}=${JSON.stringify(value)}\n`).join("");
    writeFileSync(join(dir, "Dockerfile"), `${from}${lines}RUN ${command}\n`);
    const controller = new AbortController();
    const local = ["--local", `context=${dir}`, "--local", `dockerfile=${dir}`];
    const args = ["build", "--progress=plain", "--frontend=dockerfile.v0", "--opt", `platform=${NATIVE}`, ...local];
    const run = execa(buildctl, ["--addr", services.buildkit.address, ...args], {
      env: UNTRACED,
      all: true,
      reject: false,
      cancelSignal: controller.signal,
    });
    let text = "";
    run.all.on("data", (piece) => {
      text += String(piece);
    });
    const ended = run.then((result) => result.exitCode ?? -1);
    const made = {
      log: () => text,
      ended,
      stop: async () => {
        controller.abort();
        await ended;
      },
    };
    containers.push(made);
    return made;
  }

  const image = (name: string) => `FROM ${images[name]?.ref}\n`;
  async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
    for (let i = 0; i < 300; i++) {
      const found = await ask().catch(() => undefined);
      if (found !== undefined) return found;
      await sleep(200);
    }
    assert.fail(`${what} within 60 s:\n${containers.map((c) => c.log().slice(-1500)).join("\n---\n")}`);
  }

  it("are built for both platforms, far below 002's bounds", async () => {
    const clone = join(folder, "keelson");
    await execa("git", ["clone", "--quiet", project, clone]);
    const text = readFileSync(join(project, "Pulumi.dev.yaml"), "utf8").replace(
      / {2}keelson:(?:images|gateway):\n(?: {4}.*\n)+/g,
      "",
    );
    writeFileSync(join(clone, "Pulumi.dev.yaml"), `${text}  keelson:images: [todo-backend, todo-frontend]\n`);
    const { exitCode, all } = await execa("npm", ["run", "up"], { cwd: clone, all: true, reject: false, input: "" });
    assert.equal(exitCode, 0, all);
    const script = 'eval "$(npm run --silent env)" && pulumi stack output images --json --stack dev';
    images = JSON.parse((await execa("bash", ["-c", script], { cwd: clone })).stdout);
    for (const [name, bound] of Object.entries(BOUNDS)) {
      const { platforms } = images[name] ?? { platforms: [] };
      assert.deepEqual(platforms.map((p) => p.platform).toSorted(), ["linux/amd64", "linux/arm64"]);
      for (const { platform, unpacked } of platforms) assert.ok(unpacked < bound, `${name} ${platform}: ${unpacked}`);
    }
  });

  describe("with PostgreSQL", () => {
    let frontend: string;
    let backend: string;
    let env: Readonly<Record<string, string>>;
    let migrated: string;
    before(async () => {
      const [database, api, page] = [await freePort(), await freePort(), await freePort()];
      env = {
        DATABASE_URL: `postgresql://todo:secret@127.0.0.1:${database}/todo`,
        BACKEND_URL: `http://127.0.0.1:${api}`,
      };
      backend = env.BACKEND_URL ?? "";
      frontend = `http://127.0.0.1:${page}`;
      container("postgres", POSTGRES, `/start ${database}`, {});
      container(
        "backend",
        image("todo-backend"),
        '["/usr/bin/tini", "--", "machine-env", "sh", "-c", "exec python3 -m uvicorn --host 127.0.0.1 --port $PORT $APP"]',
        { ...env, PORT: String(api) },
      );
      container(
        "frontend",
        image("todo-frontend"),
        '["/usr/bin/tini", "--", "node", "/usr/local/lib/todo/start.mjs"]',
        { ...env, PORT: String(page), LISTEN: "127.0.0.1" },
      );
      for (const url of [backend, frontend])
        await until(`${url} is healthy`, async () => ((await fetch(`${url}/health`)).ok ? true : undefined));
      migrated = await until("the migrations ran", async () => {
        const job = container("migrate", image("todo-backend"), '["python3", "-m", "todo.migrate"]', env);
        return (await job.ended) === 0 ? job.log() : undefined;
      });
    });

    const form = (path: string, fields: Readonly<Record<string, string>>) =>
      fetch(`${frontend}${path}`, { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
    async function page(): Promise<{ readonly title: string; readonly id: string; readonly done: boolean }[]> {
      const html = await (await fetch(frontend)).text();
      return [...html.matchAll(/<li data-id="(\d+)" data-done="(\w+)">.*?<span[^>]*>([^<]*)<\/span>/g)].map(
        ([, id = "", done, title = ""]) => ({ title, id, done: done === "true" }),
      );
    }

    it("migrate once, and are ready then", async () => {
      assert.match(migrated, /ran 0001_todo\.sql, 0002_open_todos\.sql/);
      const again = await until("a second migration has nothing to do", async () => {
        const job = container("migrate", image("todo-backend"), '["python3", "-m", "todo.migrate"]', env);
        return (await job.ended) === 0 ? job.log() : undefined;
      });
      assert.match(again, /the schema is up to date/);
      const ready = await fetch(`${frontend}/ready`);
      assert.deepEqual([ready.status, await ready.json()], [200, { database: "ok", backend: "ok" }]);
    });

    it("go back to a version of before a migration, and not to one that lost a migration", async () => {
      const job = async (...command: string[]) => {
        const one = container("migrate", image("todo-backend"), JSON.stringify(["python3", ...command]), env);
        return { code: await one.ended, text: one.log() };
      };
      const sql = (text: string) =>
        job(
          "-c",
          `import asyncio, os, asyncpg\nasync def run():\n  await (await asyncpg.connect(os.environ["DATABASE_URL"])).execute("""${text}""")\nasyncio.run(run())`,
        );
      const insert = (name: string) => sql(`INSERT INTO schema_migration (name, sha256) VALUES ('${name}', '0')`);
      const later = await insert("9999_later.sql");
      assert.equal(later.code, 0, later.text);
      const back = await job("-m", "todo.migrate");
      assert.equal(back.code, 0, back.text);
      assert.match(back.text, /the schema is of a later version, and stays as it is: 9999_later\.sql/);
      assert.equal((await insert("0001_lost.sql")).code, 0);
      const lost = await job("-m", "todo.migrate");
      assert.notEqual(lost.code, 0);
      assert.match(lost.text, /the database has 0001_lost\.sql, which this version should have and has not/);
      assert.equal((await sql("DELETE FROM schema_migration WHERE sha256 = '0'")).code, 0);
    });

    it("create, list, finish and delete todos, from forms that work without scripts", async () => {
      assert.deepEqual(await page(), []);
      for (const title of ["milk", "bread <b>&</b> butter"]) {
        const answer = await form("/todos", { title });
        assert.deepEqual([answer.status, answer.headers.get("location")], [303, "/"]);
      }
      const [milk, bread] = await page();
      assert.ok(milk && bread);
      assert.deepEqual([milk.title, bread.title], ["milk", "bread &lt;b&gt;&amp;&lt;/b&gt; butter"]);
      await form(`/todos/${milk.id}`, { action: "finish" });
      assert.deepEqual(
        (await page()).map((todo) => [todo.id, todo.done]),
        [
          [bread.id, false],
          [milk.id, true],
        ],
      );
      await form(`/todos/${milk.id}`, { action: "reopen" });
      await form(`/todos/${bread.id}`, { action: "delete" });
      assert.deepEqual(await page(), [{ title: "milk", id: milk.id, done: false }]);
      const listed = (await (await fetch(`${backend}/api/todos`)).json()) as { title: string; done_at: unknown }[];
      assert.deepEqual(
        listed.map((todo) => [todo.title, todo.done_at]),
        [["milk", null]],
      );
    });

    it("refuse what is no todo", async () => {
      const post = (body: unknown) =>
        fetch(`${backend}/api/todos`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        });
      for (const body of [{}, { title: "  " }, { title: "x".repeat(201) }, { title: "a\u0000b" }, "x"])
        assert.equal((await post(body)).status, 422, JSON.stringify(body));
      assert.equal((await fetch(`${backend}/api/todos/99999`, { method: "DELETE" })).status, 404);
      assert.equal((await fetch(`${backend}/api/todos/0`, { method: "DELETE" })).status, 422);
      assert.equal((await form("/todos", { title: " " })).status, 502);
      assert.equal((await form("/todos/1;drop", { action: "delete" })).status, 404);
      assert.equal((await page()).length, 1);
    });

    it("stay healthy without their database, say that they are not ready, and come back with it", async () => {
      await containers[0]?.stop();
      assert.equal((await fetch(`${frontend}/health`)).status, 200);
      assert.equal((await fetch(`${backend}/health`)).status, 200);
      const ready = await fetch(`${frontend}/ready`);
      assert.deepEqual([ready.status, await ready.json()], [503, { database: "unreachable", backend: "ok" }]);
      assert.equal((await fetch(`${backend}/ready`)).status, 503);
      assert.equal((await fetch(frontend)).status, 500);
      assert.equal((await form("/todos", { title: "lost" })).status, 502);
      container("postgres", POSTGRES, `/start ${new URL(env.DATABASE_URL ?? "").port}`, {});
      await until("the backend is ready again", async () => {
        const job = container("migrate", image("todo-backend"), '["python3", "-m", "todo.migrate"]', env);
        if ((await job.ended) !== 0) return undefined;
        return (await fetch(`${frontend}/ready`)).ok ? true : undefined;
      });
    });
  });
});

/** A PostgreSQL that forgets: its data are the container's. */
const POSTGRES = `FROM debian:bookworm-slim
RUN apt-get update -q && apt-get install -qy --no-install-recommends postgresql-15 && rm -rf /var/lib/apt/lists/*
COPY <<"SCRIPT" /start
#!/bin/bash
set -euo pipefail
bin=/usr/lib/postgresql/15/bin data=$(mktemp -d)
$bin/initdb --pgdata="$data" --username=todo --auth=trust --no-sync >/dev/null
echo "CREATE DATABASE todo;" | $bin/postgres --single -D "$data" postgres >/dev/null
exec $bin/postgres -D "$data" -p "$1" -k "$data" -c listen_addresses=127.0.0.1 -c fsync=off
SCRIPT
RUN chmod 755 /start
USER postgres
`;
