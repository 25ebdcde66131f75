import assert from "node:assert/strict";
import { planHosts } from "../../core/host-plan.ts";
import { GATES } from "../../gates/catalogue.ts";
import { judgePlan } from "../../gates/plan.ts";
import { settingsFindings } from "../../gates/settings.ts";

describe("settings of gates", () => {
  const allow = (rule: string) => ({ rule, subject: "app", reason: "a test" });

  it("are right where they name a gate or one of its rules", () => {
    const free = GATES.filter((gate) => !gate.fixed).map((gate) => gate.id);
    const severity = Object.fromEntries(
      free.flatMap(
        (id) =>
          [
            [id, "info"],
            [`${id}/rule`, "off"],
          ] as const,
      ),
    );
    assert.deepEqual(settingsFindings({ severity, allow: free.map(allow) }), []);
    assert.deepEqual(settingsFindings({}), []);
  });

  it("are told that name no gate, with a hint", () => {
    const found = settingsFindings({
      severity: { "leftover/apt": "off" },
      allow: [allow("user"), allow("sercet/text")],
    });
    assert.deepEqual(
      found.map((f) => [f.rule, f.subject]),
      [
        ["config/unknown-gate", "keelson:gates.severity"],
        ["config/unknown-gate", "keelson:gates.allow[1]"],
      ],
    );
    assert.match(found[0]?.fix ?? "", /did you mean "leftovers"\?/);
    assert.match(found[1]?.fix ?? "", /did you mean "secret"\?/);
  });

  it("are told that would lift what is wrong with a host", () => {
    const { findings } = planHosts({}, { web: { image: "web", hosts: ["nowhere"] } }, new Map());
    const severity = Object.fromEntries(findings.map(({ rule }) => [rule, "off"] as const));
    assert.deepEqual(
      settingsFindings({ severity }).map(({ rule, message }) => `${rule} ${message.split(":")[0]}`),
      ['config/fixed-gate "host/unknown" changes nothing'],
    );
  });

  it("are told that would lift what nothing can be built past", () => {
    const [found] = settingsFindings({ severity: { "lineage/cycle": "off" } });
    assert.equal(found?.rule, "config/fixed-gate");
  });

  it("are judged with the plan", async () => {
    const plan = { schema: 1, stack: "x", registry: "embedded", bases: [], images: [] } as const;
    const found = await judgePlan({ plan, findings: [], catalogue: [] }, { severity: { intt: "off" } });
    assert.deepEqual(
      found.map((f) => f.rule),
      ["config/unknown-gate"],
    );
  });
});
