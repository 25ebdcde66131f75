import assert from "node:assert/strict";
import { versionChanges } from "../../../core/kubernetes/version-changes.ts";

const template = (own: object = {}, from: object[] = [], more: object = {}) => ({
  metadata: { labels: { app: "web", "pod-template-hash": "1" } },
  spec: { containers: [{ name: "web", image: "web:1", envFrom: from, ...own }], ...more },
});
const config = (name: string) => ({ configMapRef: { name } });
const secret = (name: string) => ({ secretRef: { name } });
const CONFIGS: Readonly<Record<string, Record<string, string>>> = {
  c1: { COLOUR: "green", LEVEL: "info" },
  c2: { COLOUR: "blue", LEVEL: "info", MORE: "1" },
};

describe("versionChanges", () => {
  const cases: [string, object, object, string[]][] = [
    ["nothing", template({}, [config("c1")]), template({ image: "web:2" }, [config("c1")]), []],
    [
      "variables",
      template({}, [config("c1"), secret("s1")]),
      template({}, [config("c2"), secret("s2")]),
      ["COLOUR: green -> blue", "MORE: nothing -> 1", "secrets: those of s1 -> those of s2"],
    ],
    ["settings that are gone", template({}, [config("c1")]), template({}, [config("c9")]), ["ConfigMap: c1 -> c9"]],
    [
      "none any more",
      template({}, [config("c1"), secret("s")]),
      template(),
      ["COLOUR: green -> nothing", "LEVEL: info -> nothing", "secrets: those of s -> those of none"],
    ],
    [
      "fields",
      template({ command: ["a"], resources: { limits: { memory: "512Mi" } } }),
      template({ command: ["b"], resources: { limits: { memory: "256Mi" } } }, [], { serviceAccountName: "web" }),
      ['command: ["a"] -> ["b"]', "resources.limits.memory: 512Mi -> 256Mi", "serviceAccountName: nothing -> web"],
    ],
    [
      "other containers, by their names",
      template({}, [], { initContainers: [{ name: "wait", image: "x", args: ["1"] }] }),
      template({}, [], { initContainers: [{ name: "wait", image: "x", args: ["2"] }] }),
      ['wait.args: ["1"] -> ["2"]'],
    ],
    [
      "many things",
      template(Object.fromEntries([..."abcdefghij"].map((key) => [key, 1]))),
      template(Object.fromEntries([..."abcdefghij"].map((key) => [key, 2]))),
      [...[..."abcdefgh"].map((key) => `${key}: 1 -> 2`), "and 2 more"],
    ],
  ];
  for (const [what, before, after, changes] of cases)
    it(`tells ${what}`, () =>
      assert.deepEqual(
        versionChanges(before, after, (name) => CONFIGS[name]),
        changes,
      ));
});
