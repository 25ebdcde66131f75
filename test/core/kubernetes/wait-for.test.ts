import assert from "node:assert/strict";
import { formatTrouble } from "../../../core/kubernetes/trouble.ts";
import { judgeWaitFor } from "../../../core/kubernetes/wait-for.ts";

describe("waitFor", () => {
  const object = {
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }], nodes: [{ name: "a" }] },
  };
  for (const [wish, verdict] of [
    ["condition=Ready", "done"],
    ["condition=Ready=False", "wait"],
    ["condition=Synced", "wait"],
    ["jsonpath={.status.phase}=Running", "done"],
    ["jsonpath={.status.phase}=Done", "wait"],
    ["jsonpath={.status.nodes[0].name}", "done"],
    ["jsonpath={.status.other}", "wait"],
    ["jsonpath=.status.phase=Running", "done"],
    ['jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', "done"],
    ['jsonpath={.status.conditions[?(@.type == "Ready")].status}=False', "wait"],
    ['jsonpath={.status.conditions[?(@.type=="Synced")].status}=True', "wait"],
    ["jsonpath={.status['phase']}=Running", "done"],
    ["jsonpath={.status..phase}=Running", undefined],
    ["jsonpath={.status.nodes[*].name}=a", undefined],
    ['["condition=Ready", "jsonpath={.status.phase}=Done"]', "wait"],
    ["ready", undefined],
    ["[]", undefined],
  ] as const)
    it(`${wish}: ${verdict ?? "can't be read"}`, () => assert.equal(judgeWaitFor(object, wish)?.verdict, verdict));

  const troublesOf = (status: object) =>
    judgeWaitFor({ kind: "Cluster", metadata: { name: "db", namespace: "shop" }, status }, "condition=Ready")?.troubles;

  it("says what whoever looks after the object has against it, a route's for each of its parents", () => {
    const refused = { type: "Accepted", status: "False", reason: "NotAllowedByListeners", message: "no such host" };
    for (const status of [{ conditions: [refused] }, { parents: [{ conditions: [refused] }] }])
      assert.deepEqual(troublesOf(status)?.map(formatTrouble), [
        "cluster db: NotAllowedByListeners: no such host\n  cause: its condition Accepted is False\n" +
          "  fix: kubectl -n shop describe cluster db",
      ]);
  });

  it("says where it got to, and that nobody has looked at it", () => {
    const phase = "Setting up primary";
    assert.deepEqual(
      troublesOf({ phase })?.map(({ cause }) => cause),
      [phase],
    );
    assert.match(troublesOf({})?.[0]?.cause ?? "", /its controller may be missing/);
  });

  describe("after a change", () => {
    const seen = (observedGeneration: number) => ({ type: "Ready", status: "True", observedGeneration });
    const route = (observedGeneration: number, gateway = "public") => ({
      parents: [
        { parentRef: { name: "before" }, conditions: [{ type: "Ready", status: "False" }] },
        { parentRef: { name: gateway }, conditions: [seen(observedGeneration)] },
      ],
    });
    const path = '.status.parents[?(@.parentRef.name=="public")].conditions[?(@.type=="Ready")].status';
    for (const [what, status, wish, verdict] of [
      ["a condition of before", { conditions: [seen(6)] }, "condition=Ready", "wait"],
      ["a condition of now", { conditions: [seen(7)] }, "condition=Ready", "done"],
      [
        "a condition of nobody knows when",
        { conditions: [{ type: "Ready", status: "True" }] },
        "condition=Ready",
        "done",
      ],
      ["a status of before", { observedGeneration: 6, conditions: [seen(7)] }, "condition=Ready", "wait"],
      ["a phase of before", { observedGeneration: 6, phase: "Up" }, "jsonpath={.status.phase}=Up", "wait"],
      ["a phase of now", { observedGeneration: 7, phase: "Up" }, "jsonpath={.status.phase}=Up", "done"],
      ["a parent's word of before", route(6), `jsonpath={${path}}=True`, "wait"],
      ["a parent's word of now", route(7), `jsonpath={${path}}=True`, "done"],
      ["another parent's word", route(7, "other"), `jsonpath={${path}}=True`, "wait"],
    ] as const)
      it(`${what}: ${verdict}`, () =>
        assert.equal(judgeWaitFor({ metadata: { generation: 7 }, status }, wish)?.verdict, verdict));

    it("says that nobody has looked at it", () => {
      const status = { conditions: [{ ...seen(6), status: "False", reason: "Old" }] };
      const judged = judgeWaitFor({ metadata: { generation: 7 }, status }, "condition=Ready");
      assert.deepEqual(
        judged?.troubles.map(({ cause }) => cause),
        ["its controller has not looked at its last change yet"],
      );
    });
  });
});
