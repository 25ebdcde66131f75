import assert from "node:assert/strict";
import { type Attempt, explainOutage, explainRefusal, type Refusal } from "../../../core/kubernetes/refusal.ts";

/** Bodies as kube-apiserver 1.34 answers them. */
describe("a refusal of the API server", () => {
  const attempt: Attempt = {
    what: "create Deployment shop/web",
    verb: "create",
    resource: "deployments.apps",
    namespace: "shop",
    name: "web",
    login: { user: "deployer", context: "prod" },
    fieldManager: "pulumi-kubernetes-5d8f7c21",
    token: "kubernetes:apps/v1:Deployment",
  };
  const refusal = (code: number, reason: string, message: string, details: Refusal["details"] = {}): Refusal => ({
    code,
    reason,
    message,
    details,
  });
  const cases: readonly {
    readonly of: string;
    readonly refusal: Refusal;
    readonly says: RegExp;
    readonly fix: RegExp;
  }[] = [
    {
      of: "missing rights",
      refusal: refusal(
        403,
        "Forbidden",
        'deployments.apps is forbidden: User "deployer" cannot create resource "deployments" in API group "apps" in the namespace "shop"',
      ),
      says: /can't create Deployment shop\/web: .*User "deployer" cannot create/,
      fix: /role.*kubectl auth can-i create deployments\.apps -n shop/,
    },
    {
      of: "missing rights for something else than what was asked for",
      refusal: refusal(
        403,
        "Forbidden",
        'pods "web-1" is forbidden: User "deployer" cannot get resource "pods/log" in API group "" in the namespace "jobs"',
      ),
      says: /cannot get resource/,
      fix: /may get pods\/log; try it: kubectl auth can-i get pods --subresource=log -n jobs$/,
    },
    {
      of: "missing rights at the cluster scope",
      refusal: refusal(
        403,
        "Forbidden",
        'namespaces is forbidden: User "deployer" cannot create resource "namespaces" in API group "" at the cluster scope',
      ),
      says: /cannot create resource/,
      fix: /may create namespaces; try it: kubectl auth can-i create namespaces$/,
    },
    {
      of: "an object that somebody deleted",
      refusal: refusal(404, "NotFound", "web is not there any more"),
      says: /^can't create Deployment shop\/web: web is not there any more$/,
      fix: /^npm run up -- --refresh \(with -s STACK\) makes it anew$/,
    },
    {
      of: "a login that is none",
      refusal: refusal(401, "Unauthorized", "Unauthorized"),
      says: /does not accept the login of user deployer \(context prod\)/,
      fix: /kubectl --context prod auth whoami/,
    },
    {
      of: "a quota",
      refusal: refusal(
        403,
        "Forbidden",
        'pods "web" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0',
      ),
      says: /the quota of namespace shop has no room for it: small, requested: pods=1/,
      fix: /kubectl -n shop describe resourcequota/,
    },
    {
      of: "a namespace that ends",
      refusal: refusal(
        403,
        "Forbidden",
        'deployments.apps "web" is forbidden: unable to create new content in namespace shop because it is being terminated',
      ),
      says: /the namespace shop is being deleted/,
      fix: /kubectl get namespace shop -o yaml/,
    },
    {
      of: "a webhook",
      refusal: refusal(400, "", 'admission webhook "policy.acme.io" denied the request: no tag may be latest'),
      says: /the webhook policy\.acme\.io refuses it: no tag may be latest/,
      fix: /validatingwebhookconfigurations/,
    },
    {
      of: "an admission policy",
      refusal: refusal(
        422,
        "Invalid",
        "secrets \"a\" is forbidden: ValidatingAdmissionPolicy 'tags' with binding 'all' denied request: no tag may be latest",
      ),
      says: /the admission policy tags refuses it: no tag may be latest/,
      fix: /kubectl get validatingadmissionpolicy tags/,
    },
    {
      of: "a webhook that is away",
      refusal: refusal(
        500,
        "InternalError",
        'Internal error occurred: failed calling webhook "a.b": Post "https://x": EOF',
      ),
      says: /the webhook a\.b does not answer/,
      fix: /look at its service/,
    },
    {
      of: "Pod Security",
      refusal: refusal(
        403,
        "Forbidden",
        'pods "web" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
      ),
      says: /takes pods under restricted:latest alone: runAsNonRoot != true/,
      fix: /securityContext/,
    },
    {
      of: "what is there already",
      refusal: refusal(409, "AlreadyExists", 'deployments.apps "web" already exists'),
      says: /it is there already, and not of this stack/,
      fix: /pulumi import kubernetes:apps\/v1:Deployment NAME shop\/web/,
    },
    {
      of: "somebody else's fields",
      refusal: refusal(409, "Conflict", 'Apply failed with 1 conflict: conflict with "argocd": .spec.replicas', {
        causes: [{ reason: "FieldManagerConflict", message: 'conflict with "argocd"', field: ".spec.replicas" }],
      }),
      says: /\.spec\.replicas \(conflict with "argocd"\); this stack applies as "pulumi-kubernetes-5d8f7c21"/,
      fix: /pulumi\.com\/patchForce.*--show-managed-fields/,
    },
    {
      of: "a field that stays",
      refusal: refusal(422, "Invalid", "Deployment.apps is invalid", {
        causes: [{ field: "spec.selector", message: "Invalid value: {}: field is immutable" }],
      }),
      says: /spec\.selector: Invalid value: \{\}: field is immutable/,
      fix: /replaceOnChanges/,
    },
    {
      of: "a namespace that is not there",
      refusal: refusal(404, "NotFound", 'namespaces "shop" not found', { kind: "namespaces", name: "shop" }),
      says: /namespaces "shop" not found/,
      fix: /kubectl create namespace shop/,
    },
  ];
  for (const { of, refusal: given, says, fix } of cases)
    it(`tells ${of}`, () => {
      const error = explainRefusal(given, attempt);
      assert.match(error.message, says);
      assert.match(error.fix, fix);
    });

  it("tells a certificate that has ended", () => {
    const login = { user: "deployer", context: "prod", expired: "2026-01-31" };
    assert.match(
      explainRefusal(refusal(401, "Unauthorized", "Unauthorized"), { ...attempt, login }).message,
      /certificate of user deployer \(context prod\) expired on 2026-01-31/,
    );
  });

  const outages: readonly (readonly [code: string, says: RegExp])[] = [
    ["ECONNREFUSED", /nothing listens there/],
    ["ENOTFOUND", /its name is unknown/],
    ["ETIMEDOUT", /it does not answer/],
    ["CERT_HAS_EXPIRED", /its certificate has expired/],
    ["SELF_SIGNED_CERT_IN_CHAIN", /an authority that the kubeconfig does not name/],
    ["NO_JSON", /what answers there speaks no JSON: it is a proxy, a page to log in, or another server/],
    ["EPIPE", /write EPIPE/],
  ];
  for (const [code, says] of outages)
    it(`tells a server that can't be reached: ${code}`, () => {
      const error = explainOutage({ server: "https://10.0.0.1:6443", context: "prod", code, message: `write ${code}` });
      assert.match(error.message, /the API server https:\/\/10\.0\.0\.1:6443 \(context prod\) can't be reached: /);
      assert.match(error.message, says);
    });
});
