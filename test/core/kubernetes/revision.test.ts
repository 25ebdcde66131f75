import assert from "node:assert/strict";
import { UserError } from "../../../core/error.ts";
import { revisionBefore, templateBefore } from "../../../core/kubernetes/revision.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const ref = (digit: string) => `localhost:5443/web@${digest(digit)}`;
const template = (image: string, config: string) => ({
  metadata: { labels: { app: "web", "pod-template-hash": "5d8f" }, creationTimestamp: null },
  spec: { containers: [{ name: "web", image, envFrom: [{ configMapRef: { name: config } }] }] },
});
const wanted = (image: string, config: string) => ({
  ...template(image, config),
  metadata: { labels: { app: "web" } },
});
const set = (image: string, config = "c1") => ({ spec: { template: template(image, config) } });
const back = (sets: readonly object[], to?: string, gone: readonly string[] = []) =>
  revisionBefore(
    "web",
    { spec: { template: template(ref("3"), "c3") } },
    templateBefore("web", sets, to),
    (_, name) => !gone.includes(name),
  );

describe("revisionBefore", () => {
  const sets = [set(ref("3"), "c3"), set(ref("2"), "c2"), set(ref("1"), "c1")];

  it("is the version before, as it was, without what the controller adds", () => {
    assert.deepEqual(back(sets), { template: wanted(ref("2"), "c2"), image: ref("2"), lost: [] });
  });

  it("is the newest of a digest, also under the name that Minikube's nodes have it by", () => {
    assert.equal(back(sets, digest("1")).image, ref("1"));
    const loaded = `web:sha256-${"1".repeat(16)}`;
    assert.equal(back([set(ref("3")), set(loaded)], digest("1")).image, loaded);
  });

  it("has the settings of now where its own are gone", () => {
    const found = back(sets, undefined, ["c2"]);
    assert.deepEqual(found, { template: wanted(ref("2"), "c3"), image: ref("2"), lost: ["ConfigMap c2"] });
  });

  for (const [what, run, message] of [
    ["nothing ran before", () => back(sets.slice(0, 1)), /web: nothing ran before/],
    ["the digest is not kept", () => back(sets, digest("7")), /no version of sha256:7+ is kept/],
    [
      "only settings differ, and they are gone",
      () => back([set(ref("3"), "c3"), set(ref("3"), "c2")], undefined, ["c2"]),
      /same image with settings that are gone: ConfigMap c2/,
    ],
  ] as const)
    it(`says that ${what}`, () => {
      assert.throws(run, (error: unknown) => error instanceof UserError && message.test(error.message));
    });
});
