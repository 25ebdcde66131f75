import assert from "node:assert/strict";
import { renderBundle } from "../../../core/host/bundle.ts";
import { renderQuadlet } from "../../../core/host/quadlet.ts";
import type { HostService } from "../../../core/host/service.ts";
import { installCommand } from "../../../core/host/session.ts";
import { WEFT } from "./sample.ts";

/** Values of a key, in order. */
const values = (text: string, key: string) =>
  text.split("\n").flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));

describe("the Quadlet of a service", () => {
  const quadlet = renderQuadlet("clawft", WEFT);
  const options = (change: Partial<HostService>) =>
    values(renderQuadlet("clawft", { ...WEFT, ...change }), "PodmanArgs");

  it("runs one container, by digest, that is never pulled while it starts", () => {
    assert.deepEqual(values(quadlet, "Image"), [WEFT.image]);
    assert.deepEqual(values(quadlet, "ContainerName"), ["keelson-clawft-weft-@SLOT@"]);
    assert.ok(options({}).includes("--pull=never"));
  });

  it("gives the container nothing that it does not need", () => {
    for (const line of ["ReadOnly=true", "DropCapability=all", "NoNewPrivileges=true"])
      assert.ok(quadlet.split("\n").includes(line), line);
    for (const option of ["--pids-limit=512", "--memory=268435456", "--cpus=1", "--read-only-tmpfs=false"])
      assert.ok(options({}).includes(option), option);
  });

  it("leaves restarting to systemd, which does not start it with the host before it serves", () => {
    assert.deepEqual(values(quadlet, "Restart"), ["always"]);
    assert.deepEqual(values(quadlet, "StartLimitIntervalSec"), ["0"]);
    assert.doesNotMatch(quadlet, /\[Install\]|docker/);
  });

  const table: Readonly<Record<string, readonly [Partial<HostService>, string, readonly string[]]>> = {
    "a command": [{ command: ["run", "100% $HOME", 'a "b"'] }, "Exec", ['run "100%% $$HOME" "a \\"b\\""']],
    "no command": [{}, "Exec", []],
    "a user": [{ user: "10001:10002" }, "User", ["10001"]],
    "a group": [{ user: "10001:10002" }, "Group", ["10002"]],
    "GPUs by CDI": [{ gpus: ["0"] }, "AddDevice", ["nvidia.com/gpu=0"]],
    volumes: [
      {
        secrets: [],
        volumes: [
          { source: "data", target: "/data" },
          { source: "/srv/m", target: "/m", readOnly: true },
        ],
      },
      "Volume",
      ["/opt/clawft/data:/data", "/srv/m:/m:ro"],
    ],
    assets: [
      { secrets: [], volumes: [], assets: "/app/public" },
      "Volume",
      ["/var/lib/keelson/clawft/services/weft/@SLOT@/assets:/app/public:ro"],
    ],
    "secrets as credentials": [
      {},
      "LoadCredential",
      ["API_KEY", "TLS_KEY"].map((s) => `${s}:/var/lib/keelson/clawft/services/weft/@SLOT@/secrets/${s}`),
    ],
    "environment files": [
      {},
      "EnvironmentFile",
      ["/var/lib/keelson/clawft/services/weft/@SLOT@/env", "/run/keelson-clawft-weft-@SLOT@/env"],
    ],
    "no program where there is no secret": [{ secrets: [] }, "ExecStartPre", []],
    "a bridge that keeps its hardware address": [
      {},
      "ExecStartPost",
      ["-/usr/local/lib/keelson/keelson-host keep-address"],
    ],
    "what starts before": [
      { after: ["queue"] },
      "After",
      ["network-online.target keelson-clawft-queue-a.service keelson-clawft-queue-b.service"],
    ],
    "time to stop": [{ stop: "25 s" }, "TimeoutStopSec", ["45"]],
  };
  for (const [what, [change, key, wanted]] of Object.entries(table))
    it(`has ${what}`, () => assert.deepEqual(values(renderQuadlet("clawft", { ...WEFT, ...change }), key), wanted));

  it("is a job that ends where it has a schedule", () => {
    const { port: _, health: __, ...job } = WEFT;
    const text = renderQuadlet("clawft", { ...job, schedule: "*-*-* 03:00" });
    assert.deepEqual(values(text, "Type"), ["oneshot"]);
    assert.deepEqual(values(text, "Restart"), []);
  });
});

describe("a host with podman", () => {
  it("says so where it is set up and where it is deployed to, and another one says nothing", () => {
    assert.match(installCommand("clawft", "podman"), /keelson-host setup clawft podman'/);
    assert.match(installCommand("clawft"), /keelson-host setup clawft'/);
    const bundle = renderBundle({ app: "clawft", services: [WEFT], engine: "podman" });
    assert.match(bundle, /^app clawft\nengine podman\n/m);
    assert.match(bundle, /^\|\[Container\]$/m);
    assert.equal(
      renderBundle({ app: "clawft", services: [WEFT], engine: "docker" }),
      renderBundle({ app: "clawft", services: [WEFT] }),
    );
  });

  it("refuses what docker alone has", () => {
    const services = [{ ...WEFT, engine: true, watchdog: "60 s" } as const];
    assert.throws(
      () => renderBundle({ app: "clawft", services, engine: "podman" }),
      /weft: it is given docker's socket[\s\S]*weft: a watchdog is there with docker alone/,
    );
  });
});
