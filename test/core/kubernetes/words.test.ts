import assert from "node:assert/strict";
import { onCluster } from "../../../core/kubernetes/words.ts";

describe("onCluster", () => {
  const lab = { kubeconfig: "/home/a b/config", context: "lab" };
  const flags = "--kubeconfig '/home/a b/config' --context lab";
  for (const [fix, told] of [
    ["kubectl -n shop get pods", `kubectl ${flags} -n shop get pods`],
    [
      "try it: kubectl auth can-i get pods; kubectl get nodes",
      `try it: kubectl ${flags} auth can-i get pods; kubectl ${flags} get nodes`,
    ],
    ["kubectl --context lab auth whoami", `kubectl ${flags} auth whoami`],
    ["helm -n shop rollback web", "helm --kubeconfig '/home/a b/config' --kube-context lab -n shop rollback web"],
    ["minikube kubectl-set; write it in helm's values", "minikube kubectl-set; write it in helm's values"],
  ] as const)
    it(`names the cluster in: ${fix}`, () => assert.equal(onCluster(fix, lab), told));

  it("leaves alone what is about the cluster that kubectl has", () => {
    assert.equal(onCluster("kubectl -n shop get pods", {}), "kubectl -n shop get pods");
    assert.equal(onCluster("kubectl --context a version", {}), "kubectl --context a version");
    assert.equal(onCluster("kubectl get nodes", { context: "prod" }), "kubectl --context prod get nodes");
  });
});
