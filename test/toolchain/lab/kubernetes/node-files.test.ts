import assert from "node:assert/strict";
import { parse as parseToml } from "smol-toml";
import { parse } from "yaml";
import { reachableNameservers } from "../../../../toolchain/lab/kubernetes/node.ts";
import { MASKED_UNITS, NODE_UNITS, nodeFiles, PREPARE } from "../../../../toolchain/lab/kubernetes/node-files.ts";

const request = {
  address: "10.231.7.3",
  podNetwork: "10.232.7.0/24",
  registry: "localhost:5443",
  pause: `localhost:5443/keelson/lab-pause@sha256:${"a".repeat(64)}`,
  cgroup: "kl0123456789ab",
  nameservers: ["192.0.2.53"],
};
const files = nodeFiles(request);
const read = (path: string) => files[path] ?? assert.fail(`no ${path}`);

describe("the files of the lab's node", () => {
  it("have containerd pull from the embedded registry alone, its pause image by digest", () => {
    const hosts = parseToml(read("etc/containerd/certs.d/localhost:5443/hosts.toml"));
    assert.equal(hosts.server, "https://localhost:5443");
    for (const place of [hosts, (hosts.host as Record<string, typeof hosts>)["https://localhost:5443"]])
      assert.equal(place?.ca, "/etc/docker/certs.d/localhost:5443/ca.crt");
    const plugins = parseToml(read("etc/containerd/config.toml")).plugins as Record<string, Record<string, unknown>>;
    assert.match(String(plugins["io.containerd.grpc.v1.cri"]?.sandbox_image), /@sha256:a{64}$/);
  });

  it("let nobody ask the kubelet without a certificate, and the API decide what they may", () => {
    const { authentication, authorization, tlsCertFile, cgroupRoot } = parse(read("etc/kubernetes/kubelet.yaml"));
    assert.deepEqual(authentication.anonymous, { enabled: false });
    assert.deepEqual(authorization, { mode: "Webhook" });
    assert.equal(tlsCertFile, "/etc/kubernetes/kubelet.pem");
    assert.equal(cgroupRoot, "/kl0123456789ab", "another lab's pods on this machine are not its own to tidy up");
  });

  it("give pods addresses of the network that this machine leads to the node", () => {
    const { plugins } = JSON.parse(read("etc/cni/net.d/10-lab.conflist"));
    assert.deepEqual(plugins[0].ipam.ranges, [[{ subnet: "10.232.7.0/24" }]]);
    assert.match(read("etc/systemd/system/kube-proxy.service"), / --cluster-cidr=10\.232\.7\.0\/24 /);
  });

  it("tell pods where services are, and ask others for the rest where there are any", () => {
    assert.deepEqual(parse(read("etc/kubernetes/kubelet.yaml")).clusterDNS, ["10.231.7.3"]);
    assert.match(read("etc/coredns/Corefile"), /^ {2}bind 10\.231\.7\.3$.*^ {2}forward \. 192\.0\.2\.53$/ms);
    assert.doesNotMatch(nodeFiles({ ...request, nameservers: [] })["etc/coredns/Corefile"] ?? "", /forward/);
    const resolvConf = "search a.example\nnameserver 127.0.0.53\nnameserver 192.0.2.53\nnameserver ::1\n";
    assert.deepEqual(reachableNameservers(resolvConf), ["192.0.2.53"]);
  });

  it("start its programs after they are prepared for, for as long as it takes", () => {
    const kubelet = read("etc/systemd/system/kubelet.service").split("\n");
    assert.ok(kubelet.includes("StartLimitIntervalSec=0"));
    const [before, start] = ["ExecStartPre", "ExecStart"].map((key) =>
      kubelet.findIndex((l) => l.startsWith(`${key}=`)),
    );
    assert.ok((before ?? -1) > 0 && (before ?? 0) < (start ?? 0));
    assert.ok(kubelet[before ?? 0]?.includes(`${PREPARE} kl0123456789ab`));
    for (const unit of NODE_UNITS) assert.ok(files[`etc/systemd/system/${unit}`], unit);
    assert.ok(MASKED_UNITS.every((unit) => !NODE_UNITS.includes(unit)));
  });
});
