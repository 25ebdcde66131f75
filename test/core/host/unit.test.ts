import assert from "node:assert/strict";
import type { HostService } from "../../../core/host/service.ts";
import { renderTimer, renderUnit } from "../../../core/host/unit.ts";
import { WEFT } from "./sample.ts";

/** Arguments of the command that starts the container. */
function runArguments(unit: string): string[] {
  const lines = unit.split("\n");
  const first = lines.findIndex((line) => /^ExecStart(?:Pre)?=\/usr\/bin\/docker \\$/.test(line));
  const end = lines.findIndex((line, i) => i > first && !line.endsWith("\\"));
  return lines.slice(first + 1, end + 1).map((line) => line.trim().replace(/ \\$/, ""));
}

describe("the unit of a service", () => {
  const unit = renderUnit("clawft", WEFT);
  const run = runArguments(unit);

  it("leaves restarting to systemd alone", () => {
    assert.match(unit, /^Restart=always$/m);
    assert.match(unit, /^StartLimitIntervalSec=0$/m);
    assert.ok(run.includes("--restart=no"));
  });

  it("gives the container nothing that it does not need", () => {
    for (const option of ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=512"])
      assert.ok(run.includes(option), option);
    assert.ok(run.includes("--memory=268435456"));
    assert.ok(run.includes("--cpus=1"));
    assert.ok(run.includes("--log-driver=journald"));
  });

  it("gives docker's client no more than the engine's socket", () => {
    for (const line of ["NoNewPrivileges=yes", "CapabilityBoundingSet=", "PrivateNetwork=yes", "ProtectSystem=strict"])
      assert.ok(unit.split("\n").includes(line), line);
  });

  it("gives a service the engine, a name and GPUs where it is said, and else none of them", () => {
    const extra = runArguments(
      renderUnit("clawft", { ...WEFT, update: "replace", engine: true, aliases: ["db"], gpus: ["0"] }),
    );
    const more = extra.filter((option) => !run.includes(option));
    assert.deepEqual(more, [
      "--network-alias=db",
      "--device=nvidia.com/gpu=0",
      "--group-add=@ENGINE_GROUP@",
      "--mount=type=bind,src=/var/run/docker.sock,dst=/var/run/docker.sock",
    ]);
  });

  it("runs the image by digest, and never pulls while it starts", () => {
    assert.equal(run.at(-1), WEFT.image);
    assert.ok(run.includes("--pull=never"));
  });

  it("takes secrets as credentials, and names them alone", () => {
    assert.match(
      unit,
      /^LoadCredential=API_KEY:\/var\/lib\/keelson\/clawft\/services\/weft\/@SLOT@\/secrets\/API_KEY$/m,
    );
    assert.match(unit, /environment:API_KEY \\\n {2}file:TLS_KEY$/m);
    assert.ok(run.includes("--mount=type=bind,src=/run/keelson-clawft-weft-@SLOT@/files,dst=/run/secrets,readonly"));
    assert.doesNotMatch(renderUnit("clawft", { ...WEFT, secrets: [] }), /LoadCredential|credentials|RuntimeDirectory/);
  });

  it("mounts folders of the application, and of the host by absolute path", () => {
    const volumes = [
      { source: "data", target: "/data" },
      { source: "/srv/models", target: "/models", readOnly: true },
    ];
    const mounts = runArguments(renderUnit("clawft", { ...WEFT, volumes })).filter(
      (a) => a.includes("dst=/data") || a.includes("dst=/models"),
    );
    assert.deepEqual(mounts, [
      "--mount=type=bind,src=/opt/clawft/data,dst=/data",
      "--mount=type=bind,src=/srv/models,dst=/models,readonly",
    ]);
  });

  it("mounts assets of its image and of earlier ones, for reading", () => {
    const assets = runArguments(renderUnit("clawft", { ...WEFT, assets: "/app/public" }));
    assert.deepEqual(
      assets.filter((option) => !run.includes(option)),
      ["--mount=type=bind,src=/var/lib/keelson/clawft/services/weft/@SLOT@/assets,dst=/app/public,readonly"],
    );
  });

  it("asks for GPUs by CDI", () => {
    assert.ok(runArguments(renderUnit("clawft", { ...WEFT, gpus: ["0"] })).includes("--device=nvidia.com/gpu=0"));
  });

  it("asks the image's own HEALTHCHECK often where nothing else says that it serves", () => {
    const { health: _, ...without } = WEFT;
    assert.ok(runArguments(renderUnit("clawft", without)).includes("--health-interval=5s"));
    assert.ok(!run.some((argument) => argument.startsWith("--health")));
  });

  it("is started anew where it is not healthy for too long, by its proxy or by its image's word", () => {
    const program = "/usr/local/lib/keelson/keelson-host outlast keelson-clawft-weft-@SLOT@";
    const start = (change: Partial<HostService>) =>
      /^ExecStart=(.*)$/m.exec(renderUnit("clawft", { ...WEFT, ...change }))?.[1];
    assert.equal(start({}), program);
    assert.equal(start({ watchdog: "1 min", stop: "5 s" }), `${program} 60 5 keelson-clawft-weft-proxy @SLOT@`);
    const { port: _, ...worker } = WEFT;
    assert.match(renderUnit("clawft", { ...worker, watchdog: "90 s" }), /^ExecStart=\S+ outlast \S+ 90 10$/m);
  });

  it("starts after what it needs, in either slot", () => {
    assert.match(
      renderUnit("clawft", { ...WEFT, after: ["queue"] }),
      /^After=docker.service network-online.target keelson-clawft-queue-a.service keelson-clawft-queue-b.service$/m,
    );
  });

  it("is a job that ends where it has a schedule", () => {
    const { port: _, health: __, ...job } = WEFT;
    const scheduled = { ...job, schedule: "*-*-* 03:00" };
    const text = renderUnit("clawft", scheduled);
    assert.match(text, /^Type=oneshot$/m);
    assert.doesNotMatch(text, /Restart=always|\[Install\]/);
    assert.ok(runArguments(text).includes("--rm"));
    assert.match(renderTimer(scheduled), /^OnCalendar=\*-\*-\* 03:00$/m);
  });
});
