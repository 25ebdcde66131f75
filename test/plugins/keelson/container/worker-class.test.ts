import assert from "node:assert/strict";
import { UserError } from "../../../../core/error.ts";
import type { Values } from "../../../../plugins/common/values.ts";
import { UNKNOWN } from "../../../../plugins/common/wire.ts";
import { WorkerClassType } from "../../../../plugins/keelson/container/worker-class.ts";
import type { Call } from "../../../../plugins/keelson/resource.ts";
import { type ContainersDouble, startContainersDouble } from "../../cloudflare/containers-double.ts";
import { failure } from "../../cloudflare/double.ts";

/** Cloudflare's own client against a double of its API. */
describe("keelson:index:WorkerClass", () => {
  let double: ContainersDouble;
  let paused: number;
  const call = { signal: new AbortController().signal } as Call;
  beforeEach(async () => {
    double = await startContainersDouble("registry.example");
    double.workers.set("worker-1", "gateway");
    double.namespaces.push({ id: "ns-1", script: "other", class: "Sandbox" });
    paused = 0;
  });
  afterEach(() => double.close());

  const type = () =>
    new WorkerClassType(async (seconds) => {
      paused += seconds;
    });
  const inputs = (more: Values = {}): Values => ({
    ...{ accountId: double.account, workerId: "worker-1", scriptName: "gateway", className: "Sandbox" },
    ...{ compatibilityDate: "2025-06-24", apiToken: double.token, baseUrl: double.url, ...more },
  });
  /** The list of namespaces is asked for until a page is empty. */
  const LOOK = [undefined, undefined];
  const versions = () => double.seen.filter(({ line }) => line.startsWith("POST"));

  it("is made by a version of its own, which is deployed at once and bound to nothing", async () => {
    assert.deepEqual(await type().preview(inputs(), undefined), { namespaceId: UNKNOWN });
    assert.deepEqual(await type().apply(inputs(), undefined, call), { id: "ns-2", state: { namespaceId: "ns-2" } });
    const [version, ...more] = versions();
    assert.deepEqual(more, []);
    assert.equal(version?.line, `POST /accounts/${double.account}/workers/workers/worker-1/versions?deploy=true`);
    const { modules, ...body } = version.body as { modules: { content_base64: string }[] };
    assert.deepEqual(body, {
      compatibility_date: "2025-06-24",
      main_module: "class.mjs",
      containers: [{ class_name: "Sandbox" }],
      migrations: { new_tag: "v1", new_sqlite_classes: ["Sandbox"] },
    });
    const text = Buffer.from(modules[0]?.content_base64 ?? "", "base64").toString();
    assert.match(text, /^export class Sandbox extends DurableObject/m);
  });

  it("is left as it is where the Worker has it: the same migration a second time is refused", async () => {
    const first = await type().apply(inputs(), undefined, call);
    assert.deepEqual(await type().apply(inputs(), undefined, call), first);
    assert.equal(versions().length, 1);
    assert.deepEqual(await type().diff({ inputs: inputs(), state: {} }, inputs({ apiToken: "another" })), []);
    assert.deepEqual(await type().diff({ inputs: inputs(), state: {} }, inputs({ className: "Else" })), [
      { path: "className", of: "inputs" },
    ]);
  });

  it("is looked for where the answer was lost, and waited for", async () => {
    double.faults.push(...LOOK, "cut");
    assert.equal((await type().apply(inputs(), undefined, call)).id, "ns-2");
    assert.equal(versions().length, 1);
    double.namespaces.pop();
    double.settling = 3; // looks: the first of all, and two of the waiting
    assert.equal((await type().apply(inputs(), undefined, call)).id, "ns-2");
    assert.equal(paused, 4);
  });

  it("shows in a refresh when it is gone, and can't be imported", async () => {
    const { id } = await type().apply(inputs(), undefined, call);
    const previous = { inputs: inputs(), state: { namespaceId: id } };
    assert.equal((await type().read(id, previous, call))?.id, id);
    double.namespaces.pop();
    assert.equal(await type().read(id, previous, call), undefined);
    await assert.rejects(type().read(id, undefined, call), /can't be imported/);
  });

  it("says in Cloudflare's words why it could not be made, and names what is wrong with its inputs", async () => {
    double.faults.push(...LOOK, { status: 403, body: failure(10000, "Authentication error") });
    await assert.rejects(type().apply(inputs(), undefined, call), (error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /can't make the class Sandbox of Worker gateway: HTTP 403: Authentication error/);
      assert.match(error.fix, /permission/);
      return true;
    });
    const { failures } = await type().check(inputs({ accountId: "x", className: "a b" }));
    assert.deepEqual(failures.map(({ property }) => property).toSorted(), ["accountId", "className"]);
  });
});
