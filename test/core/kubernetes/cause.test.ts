import assert from "node:assert/strict";
import type { UserError } from "../../../core/error.ts";
import { Causes } from "../../../core/kubernetes/cause.ts";
import { explainOutage, explainRefusal } from "../../../core/kubernetes/refusal.ts";

const attempt = (kind: string, name: string) => ({
  ...{ what: `create ${kind} shop/${name}`, verb: "create", resource: "x", namespace: "shop", name },
  login: { user: "dev", context: "prod" },
});
const refused = (code: number, message: string, kind: string, name: string) =>
  explainRefusal({ code, reason: "Forbidden", message }, attempt(kind, name));
const forbidden = (plural: string, group: string, kind: string) =>
  refused(
    403,
    `${plural}.${group} is forbidden: User "dev" cannot create resource "${plural}" in API group "${group}" in the namespace "shop"`,
    kind,
    "web",
  );
const outage = () => explainOutage({ server: "https://a", context: "prod", code: "ECONNREFUSED", message: "" });

describe("a cause that hits many objects", () => {
  let causes: Causes;
  beforeEach(() => {
    causes = new Causes();
  });
  const told = (error: UserError, subject: string) => {
    const { message, fix } = causes.told(error, subject);
    return [message, fix];
  };

  it("is told in full once: a cluster that is away", () => {
    const full = outage();
    assert.equal(causes.told(full, "ConfigMap shop/a"), full);
    assert.deepEqual(told(outage(), "Service shop/b"), [
      "can't go on with Service shop/b: the same cause",
      "as for ConfigMap shop/a, where it is told in full",
    ]);
    // Asked again, it is told again.
    assert.equal(causes.told(full, "ConfigMap shop/a"), full);
  });

  it("names each right that lacks, and says once what to do", () => {
    const full = forbidden("configmaps", "", "ConfigMap");
    assert.equal(causes.told(full, "ConfigMap shop/web"), full);
    assert.deepEqual(told(forbidden("deployments", "apps", "Deployment"), "Deployment shop/web"), [
      "can't create Deployment shop/web: dev may not create deployments.apps either",
      "as for ConfigMap shop/web, where it is told in full",
    ]);
  });

  it("knows a quota that is full whatever each object asked for", () => {
    const full = (name: string, asked: number) =>
      refused(
        403,
        `pods "${name}" is forbidden: exceeded quota: small, requested: cpu=${asked}, used: cpu=1`,
        "Pod",
        name,
      );
    causes.told(full("a", 1), "Pod shop/a");
    assert.match(told(full("b", 2), "Pod shop/b")[0] ?? "", /^can't create Pod shop\/b: the same cause$/);
  });

  it("is told for each object that has its own", () => {
    const invalid = (name: string) => refused(422, `Service "${name}" is invalid: spec.ports`, "Service", name);
    for (const name of ["a", "b"]) assert.match(causes.told(invalid(name), name).message, /is invalid/);
  });
});
