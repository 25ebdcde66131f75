import assert from "node:assert/strict";
import type { HostService } from "../../../core/host/service.ts";
import type { LabHost } from "../../../toolchain/lab/index.ts";
import { HostUnderTest, type Said, startLoad } from "../lab-host.ts";

const FIRST_PORT = 9000;

/** An application of its own with one service, under load: scenarios on several of them run side by side. */
export class Lane {
  readonly vps: HostUnderTest;
  /** What serves between scenarios. */
  readonly service: HostService;
  #changes = 0;
  constructor(host: LabHost, index: number, image: string) {
    this.vps = new HostUnderTest(host, `lane${index}`);
    this.service = {
      name: "weft",
      image,
      port: { container: 8080, publish: FIRST_PORT + index },
      health: { port: 8080, path: "/health" },
      drain: "10 s",
      stop: "1 s",
    };
  }

  /** The service with something changed, so that it is deployed. */
  changed(change: Partial<HostService> = {}): HostService {
    return { ...this.service, environment: { CHANGE: String(++this.#changes) }, ...change };
  }

  input(service: HostService): string {
    return this.vps.input([service]);
  }

  apply(service: HostService, ...args: string[]): Promise<Said> {
    return this.vps.apply([service], {}, ...args);
  }

  /** Deploys what must work. @returns what the host said. */
  async deploy(service = this.changed()): Promise<string> {
    return succeeded(await this.apply(service, "--wait", "60"));
  }

  /** Deploys what must fail, and changes nothing. @returns what the host said. */
  async refused(service: HostService): Promise<string> {
    const before = await this.serving();
    const { code, text } = await this.apply(service);
    assert.equal(code, 1, text);
    assert.equal(await this.serving(), before);
    return text;
  }

  /** Image and slot that serve. */
  async serving(): Promise<string> {
    const [name, state, image, slot, drift] = succeeded(await this.vps.verb("status")).split("\t");
    assert.deepEqual([name, state, drift], ["weft", "ok", ""]);
    return `${image} ${slot}`;
  }

  async on(command: string): Promise<string> {
    return succeeded(await this.vps.run(command));
  }

  /** Runs a scenario under load, and sees that no request failed and that one container is left. */
  async under(scenario: (lane: Lane) => Promise<void>): Promise<void> {
    const stop = startLoad(this.vps.host.address, this.service.port?.publish ?? 0, 100);
    try {
      await scenario(this);
      await this.serving();
      assert.equal(await this.on(`docker ps -q --filter label=io.keelson.app=${this.vps.app} | wc -l`), "1");
    } finally {
      const answers = await stop();
      assert.deepEqual(Object.keys(answers), ["200"], JSON.stringify(answers));
    }
  }
}

function succeeded({ code, text }: Said): string {
  assert.equal(code, 0, text);
  return text;
}

/**
 * Begins all scenarios, each on the first lane that is free.
 * @returns their ends, to be awaited by a test each.
 */
export function runScenarios(
  lanes: readonly Lane[],
  scenarios: Readonly<Record<string, (lane: Lane) => Promise<void>>>,
): ReadonlyMap<string, Promise<void>> {
  const left = Object.entries(scenarios);
  const ends = new Map(left.map(([name]) => [name, Promise.withResolvers<void>()]));
  const work = async (lane: Lane) => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [name, scenario] = next;
      const end = ends.get(name);
      await lane.under(scenario).then(end?.resolve, end?.reject);
    }
  };
  for (const { promise } of ends.values()) promise.catch(() => {}); // told by its own test
  for (const lane of lanes) void work(lane);
  return new Map([...ends].map(([name, { promise }]) => [name, promise]));
}
