import assert from "node:assert/strict";
import {
  type ClusterPlace,
  CONTROL_PLANE,
  controlPlaneArguments,
} from "../../../../toolchain/lab/kubernetes/arguments.ts";
import { controlPlaneRemains } from "../../../../toolchain/lab/kubernetes/control-plane.ts";

const place: ClusterPlace = {
  folder: "/home/ada/keelson home/lab/kubernetes",
  apiAddress: "10.231.7.2",
  ports: {
    etcd: 1001,
    "etcd-peer": 1002,
    "kube-apiserver": 1003,
    "kube-controller-manager": 1004,
    "kube-scheduler": 1005,
  },
};

const flags = (name: (typeof CONTROL_PLANE)[number]) =>
  Object.fromEntries(controlPlaneArguments(name, place).map((arg) => /^--([a-z-]+)=(.*)$/.exec(arg)?.slice(1) ?? []));

describe("the lab's control plane", () => {
  it("listens on loopback alone, with certificates on both sides", () => {
    const etcd = flags("etcd");
    for (const flag of ["listen-client-urls", "listen-peer-urls"])
      assert.match(etcd[flag] ?? "", /^https:\/\/127\.0\.0\.1:100[12]$/);
    assert.deepEqual([etcd["client-cert-auth"], etcd["peer-client-cert-auth"]], ["true", "true"]);
    for (const name of ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const) {
      const found = flags(name);
      assert.equal(found["bind-address"], "127.0.0.1", name);
      assert.equal(found["secure-port"], String(place.ports[name]), name);
      assert.match(found["tls-private-key-file"] ?? "", /\/pki\/[a-z-]+\.key$/, name);
    }
    assert.equal(flags("kube-apiserver")["anonymous-auth"], "false");
    assert.equal(flags("kube-apiserver")["authorization-mode"], "Node,RBAC");
  });

  it("tells nodes an address that they reach", () => {
    assert.equal(flags("kube-apiserver")["advertise-address"], "10.231.7.2");
  });

  for (const name of CONTROL_PLANE)
    it(`finds ${name} again by its last argument, whatever its ports are`, () => {
      const { args } = controlPlaneRemains(place.folder, name);
      assert.deepEqual(args, controlPlaneArguments(name, place).slice(-1));
      assert.ok(args[0]?.includes(`${place.folder}/`));
      const others = CONTROL_PLANE.filter((other) => other !== name).map((other) =>
        controlPlaneArguments(other, place),
      );
      assert.ok(others.every((other) => other.at(-1) !== args[0]));
    });
});
