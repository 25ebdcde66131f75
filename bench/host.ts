import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { parseDocument } from "yaml";
import { renderBundle } from "../core/host/bundle.ts";
import type { HostService } from "../core/host/service.ts";
import { installCommand, sessionCommand } from "../core/host/session.ts";
import { APP } from "../core/host-plan.ts";
import { median } from "../core/median.ts";
import { openRegistry } from "../oci/open.ts";
import { readPlatforms } from "../oci/platforms.ts";
import { projectRoot } from "../toolchain/home.ts";
import { type LabHost, labHosts, startLab, stopLab } from "../toolchain/lab/index.ts";
import { labSsh } from "../toolchain/lab/ssh.ts";
import { nativePlatform } from "../toolchain/platform.ts";
import { silent } from "../toolchain/progress.ts";
import { pulumiEnvironment } from "../toolchain/pulumi-environment.ts";
import { ensureRegistry } from "../toolchain/services/index.ts";
import { benchCheckout } from "./checkout.ts";
import { type Answers, startLoad } from "./load.ts";
import { type Bench, type Figure, ratio, seconds } from "./measure.ts";

/** Fewer where a machine has no time: `BENCH_UPDATES=5 BENCH_SERVICES=10 npm run bench -- host`. */
const UPDATES = Number(process.env.BENCH_UPDATES ?? 50);
const SERVICES = Number(process.env.BENCH_SERVICES ?? 60);
/** Times that a stack with one service is brought up with a change of it. */
const UPS = 5;
const [PORT, PEER_PORT] = [80, 8081];
/** Each of these is an application of the bench's own. */
const [ONE, MANY] = ["bench", "bench-many"];

/**
 * Updates of a service on a host of the lab under load, beside what setup and update scripts of old do: pull, and
 * `systemctl restart` of a unit around `docker run`. Then many services on one host, of which none or one changes. Root only.
 */
export const hostBench: Bench = {
  name: "host",
  title: `${UPDATES} updates on a host under load, against systemctl restart; ${SERVICES} services`,
  async run(say) {
    if ((await labHosts()).length > 0) throw new Error("the lab runs: `npm run lab -- down` first");
    const folder = mkdtempSync(join(tmpdir(), "keelson-bench-host-"));
    try {
      const root = join(folder, "keelson");
      const digests = await buildWeft(root, say);
      const [host] = await startLab(1);
      if (host === undefined) throw new Error("no host");
      const images = digests.map((digest) => `${host.registry}/weft@${digest}`);
      return [
        ...(await updates(host, images, say)),
        ...(await ups(host, root, say)),
        ...(await manyServices(host, images, say)),
      ];
    } finally {
      await stopLab();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** weft's image, by two digests: of its index, and of its manifest for this machine. @param root a checkout to be made, whose stack dev has it */
async function buildWeft(root: string, say: (line: string) => void): Promise<readonly [string, string]> {
  say("building weft, or finding it built");
  const platform = nativePlatform();
  if (platform === undefined) throw new Error(`no lab runs on ${process.arch}`);
  await benchCheckout(root, { images: ["weft"], platforms: [platform] });
  await up(root);
  const env = { ...pulumiEnvironment(root), PATH: String(pulumiEnvironment(projectRoot()).PATH) };
  const output = ["stack", "output", "images", "--json", "--stack", "dev"];
  const { stdout } = await execa("pulumi", output, { cwd: root, env });
  const index: string = JSON.parse(stdout).weft.digest;
  const registry = await ensureRegistry(silent);
  const client = await openRegistry(registry.host, { caFile: registry.ca, env: process.env });
  const own = (await readPlatforms(client, "weft", index)).find((image) => image.platform === platform);
  client.close();
  if (own === undefined) throw new Error("weft has no image for this machine");
  return [index, own.descriptor.digest];
}

/** What `npm run up` is, without npm. */
function up(root: string): Promise<unknown> {
  return execa(process.execPath, [join(root, "cli/main.ts"), "up"], { cwd: root });
}

/** The same by `npm run up` of a stack: plan, gates, engine and session are in it. */
async function ups(host: LabHost, root: string, say: (line: string) => void): Promise<Figure[]> {
  const file = join(root, "Pulumi.dev.yaml");
  const stack = parseDocument(readFileSync(file, "utf8"));
  stack.setIn(["config", "keelson:hosts"], { [host.name]: "lab" });
  const weft = { image: "weft", hosts: [host.name], port: { container: 8080, publish: PORT } };
  const [whole, switched]: [number[], number[]] = [[], []];
  for (let n = 0; n <= UPS; n++) {
    stack.setIn(["config", "keelson:workloads"], { weft: { ...weft, environment: { N: String(n) } } });
    writeFileSync(file, stack.toString());
    const begin = Date.now() / 1000;
    const took = await seconds(() => up(root));
    // The first one sets the host up.
    if (n === 0) continue;
    whole.push(took);
    switched.push(Number(await ssh(host, `stat -c %.3Y /var/lib/keelson/${APP}/services/weft/active`)) - begin);
    say(`up: ${took.toFixed(1)} s`);
  }
  await ssh(host, sessionCommand("remove", APP, ["--data"]));
  return [
    { name: "from `up` to the switch", value: median(switched), unit: "s" },
    { name: "that `up`, whole", value: median(whole), unit: "s" },
  ];
}

async function updates(host: LabHost, images: readonly string[], say: (line: string) => void): Promise<Figure[]> {
  const image = (n: number) => images[n % images.length] ?? "";
  await setUp(host, ONE);
  await apply(host, ONE, [weft(image(0))]);
  await ssh(host, `cat >/etc/systemd/system/clawft.service && mkdir -p /opt/peer`, PEER_UNIT);
  await ssh(host, `docker tag ${image(0)} clawft:latest && systemctl daemon-reload && systemctl start clawft`);
  await ssh(host, peerHealthy);
  say("both serve; updates begin");
  const [own, peer] = [startLoad(host.address, PORT), startLoad(host.address, PEER_PORT)];
  const [took, switched, restarted]: [number[], number[], number[]] = [[], [], []];
  for (let n = 1; n <= UPDATES; n++) {
    const begin = Date.now() / 1000;
    took.push(await seconds(() => apply(host, ONE, [weft(image(n))])));
    // Host and bench have one clock.
    switched.push(Number(await ssh(host, `stat -c %.3Y /var/lib/keelson/${ONE}/services/weft/active`)) - begin);
    const update = `docker pull -q ${image(n)} && docker tag ${image(n)} clawft:latest && systemctl restart clawft`;
    restarted.push(await seconds(() => ssh(host, `${update} && ${peerHealthy}`)));
    if (n % 10 === 0) say(`${n} updates`);
  }
  const [answers, peers] = await Promise.all([own(), peer()]);
  for (const [name, { failed }] of [
    ["keelson", answers],
    ["systemctl restart", peers],
  ] as const)
    say(`${name}: ${JSON.stringify(failed)}`);
  const scores = await Promise.all(
    [`keelson-${ONE}-weft-[ab]`, `keelson-${ONE}-weft-proxy`, "clawft"].map((unit) => exposure(host, unit)),
  );
  await ssh(host, "systemctl disable --now clawft; docker rm -f clawft; rm /etc/systemd/system/clawft.service");
  await ssh(host, sessionCommand("remove", ONE, ["--data"]));
  return [
    { name: `requests during ${UPDATES} updates`, value: total(answers), unit: "count" },
    { name: "failed", value: failures(answers), unit: "count", atMost: 0 },
    { name: `requests during ${UPDATES} systemctl restart`, value: total(peers), unit: "count" },
    { name: "failed there", value: failures(peers), unit: "count" },
    { name: "from the deploy's start to the switch, pull included", value: median(switched), unit: "s" },
    ...ratio("a whole update, 10 s long requests drained, against pull and restart", [median(took), median(restarted)]),
    { name: "systemd-analyze security: the service's unit", value: scores[0] ?? 10, unit: "of 10" },
    { name: "systemd-analyze security: its proxy", value: scores[1] ?? 10, unit: "of 10" },
    { name: "systemd-analyze security: the unit beside it", value: scores[2] ?? 10, unit: "of 10" },
  ];
}

async function manyServices(host: LabHost, images: readonly string[], say: (line: string) => void): Promise<Figure[]> {
  const services = Array.from({ length: SERVICES }, (_, i): HostService => {
    const { port: _port, ...rest } = weft(images[0] ?? "");
    return { ...rest, name: `weft-${i}`, limits: { memory: "64 MiB" } };
  });
  const changed = (mark: string) => services.map((s, i) => (i === 7 ? { ...s, environment: { MARK: mark } } : s));
  await setUp(host, MANY);
  say(`${SERVICES} services start`);
  const first = await seconds(() => apply(host, MANY, services));
  const started = async () =>
    (await ssh(host, "docker ps -q | xargs docker inspect --format '{{.State.StartedAt}}'")).split("\n").toSorted();
  const before = await started();
  const none: number[] = [];
  const one: number[] = [];
  for (let round = 0; round < 3; round++) {
    none.push(await seconds(() => apply(host, MANY, round === 0 ? services : changed(String(round - 1)))));
    one.push(await seconds(() => apply(host, MANY, changed(String(round)))));
  }
  const after = await started();
  const single = await seconds(() => ssh(host, "true"));
  await ssh(host, sessionCommand("remove", MANY, ["--data"]));
  return [
    { name: `${SERVICES} services from nothing`, value: first, unit: "s" },
    { name: `a deploy that changes none of ${SERVICES}`, value: median(none), unit: "s" },
    { name: `a deploy that changes one of ${SERVICES}`, value: median(one), unit: "s" },
    { name: "a session that does nothing", value: single, unit: "s" },
    {
      name: "services that one change restarts",
      value: after.filter((t) => !before.includes(t)).length,
      unit: "count",
      atMost: 1,
    },
  ];
}

/** As update scripts wait, for 30 s. */
const peerHealthy = `for i in $(seq 150); do curl -sf -o /dev/null localhost:${PEER_PORT}/health && exit 0; sleep 0.2; done; exit 1`;

const PEER_UNIT = `[Unit]
Description=Clawft AI Agent Gateway
After=docker.service
Requires=docker.service
[Service]
Type=simple
Restart=always
RestartSec=10
ExecStartPre=-/usr/bin/docker stop clawft
ExecStartPre=-/usr/bin/docker rm clawft
ExecStart=/usr/bin/docker run --name clawft -v /opt/peer:/home/weft/.clawft -p ${PEER_PORT}:8080 --restart unless-stopped clawft:latest
ExecStop=/usr/bin/docker stop clawft
[Install]
WantedBy=multi-user.target
`;

function weft(image: string): HostService {
  return {
    name: "weft",
    image,
    port: { container: 8080, publish: PORT },
    health: { port: 8080, path: "/health" },
    limits: { memory: "128 MiB" },
  };
}

async function setUp(host: LabHost, app: string): Promise<void> {
  await ssh(host, installCommand(app), readFileSync(join(projectRoot(), "runtime/host/keelson-host"), "utf8"));
}

async function apply(host: LabHost, app: string, services: readonly HostService[]): Promise<void> {
  await ssh(host, sessionCommand("apply", app), `${renderBundle({ app, services })}end\n`);
}

async function ssh(host: LabHost, command: string, input = ""): Promise<string> {
  const { all, exitCode } = await labSsh(host, command, { input });
  if (exitCode !== 0) throw new Error(`${command}: ${all}`);
  return all;
}

/** systemd's own grade of a unit, 0 to 10: less is better. */
async function exposure(host: LabHost, unit: string): Promise<number> {
  const list = `systemctl list-units --no-legend --plain '${unit}.service' | cut -d' ' -f1 | head -n1`;
  const said = await ssh(host, `systemd-analyze security --no-pager "$(${list})"`);
  return Number(/exposure level for \S+: ([\d.]+)/.exec(said)?.[1] ?? 10);
}

function failures({ failed }: Answers): number {
  return Object.values(failed).reduce((sum, n) => sum + n, 0);
}

function total(answers: Answers): number {
  return answers.good + failures(answers);
}
