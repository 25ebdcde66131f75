import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clusterAccess } from "../../config/cluster-login.ts";
import type { ClusterPlace } from "../../core/cluster-plan.ts";
import { UserError } from "../../core/error.ts";

describe("clusterAccess", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson-kubeconfig-"));
    const config = (current: string, ...names: string[]) =>
      JSON.stringify({ "current-context": current, contexts: names.map((name) => ({ name, context: {} })) });
    writeFileSync(join(folder, "one"), config("dev", "dev", "prod"));
    writeFileSync(join(folder, "two"), config("", "minikube"));
    writeFileSync(join(folder, "bad"), "{ a: [");
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const access = (place: ClusterPlace, KUBECONFIG = ["one", "two"].map((f) => join(folder, f)).join(":")) =>
    clusterAccess([{ name: "c", place }], folder, { KUBECONFIG }).get("c");

  it("takes contexts of kubectl's own files, and files of the project", () => {
    assert.deepEqual(access({ kind: "context", context: "prod" }), { context: "prod" });
    assert.deepEqual(access({ kind: "minikube", profile: "minikube", start: true }), { context: "minikube" });
    assert.deepEqual(access({ kind: "context", kubeconfig: "one" }), { kubeconfig: join(folder, "one") });
  });

  it("knows the user's own folder", () => {
    const place = { kind: "context", kubeconfig: "~/one" } as const;
    const found = clusterAccess([{ name: "c", place }], "/elsewhere", { HOME: folder });
    assert.deepEqual(found.get("c"), { kubeconfig: join(folder, "one") });
  });

  for (const [what, place, message, fix] of [
    ["a context that is not there", { kind: "context", context: "prd" }, /no context "prd"/, /did you mean "prod"/],
    ["a file that is not there", { kind: "context", kubeconfig: "none" }, /no kubeconfig at .*none/, /path of one/],
    ["a file that is none", { kind: "context", kubeconfig: "bad" }, /bad can't be read/, /mend it/],
    ["no current context", { kind: "context", kubeconfig: "two" }, /no current context/, /one of: minikube/],
    ["a profile that never ran", { kind: "minikube", profile: "p", start: true }, /no context "p"/, /one of/],
  ] as const)
    it(`tells of ${what}, and what there is`, () => {
      assert.throws(
        () => access(place),
        (error) => error instanceof UserError && message.test(error.message) && fix.test(error.fix),
      );
    });

  it("tells of all at once", () => {
    const clusters = [
      { name: "a", place: { kind: "context", context: "prd" } },
      { name: "b", place: { kind: "context", context: "prod" } },
      { name: "c", place: { kind: "context", kubeconfig: "none" } },
    ] as const;
    assert.throws(
      () => clusterAccess(clusters, folder, { KUBECONFIG: join(folder, "one") }),
      (error) =>
        error instanceof UserError &&
        /^2 clusters can't be reached:\nkeelson:kubernetes\.a: .*"prd".*\n {2}write one of: .*\nkeelson:kubernetes\.c: no kubeconfig/.test(
          error.message,
        ),
    );
  });
});
