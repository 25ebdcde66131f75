import { join } from "node:path";
import { readCatalogue, readDefinitions } from "../config/catalogue.ts";
import { median } from "../core/median.ts";
import type { CatalogueImage } from "../core/plan.ts";
import { PLATFORMS, type Platform } from "../core/platform.ts";
import { projectRoot } from "../toolchain/home.ts";
import { type Bake, bakeCatalogue } from "./bake.ts";
import { type BenchCheckout, benchCheckout, changeLastLayer } from "./checkout.ts";
import { type BenchMachine, benchMachine } from "./machine.ts";
import { type Bench, type Figure, seconds } from "./measure.ts";

/** The image whose last layer changes, and the one that three others are made from. */
const LEAF = "family-web";
const BASE = "base-python";
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const COLD_ROUNDS = Math.min(ROUNDS, 2);

interface Contest {
  readonly machine: BenchMachine;
  readonly keelson: BenchCheckout;
  readonly bake: Bake;
  readonly say: (line: string) => void;
}

/**
 * The catalogue's CPU images, all platforms, by `pulumi up --skip-preview` and by one `buildx bake`, on one builder and
 * registry, in turns that begin with either. keelson's time has staging, smoke tests and gates in it; bake's has none, and
 * finds packages in place. BENCH_PLATFORMS and BENCH_IMAGES (with commas) and BENCH_ROUNDS (3) make it smaller.
 */
export const graphBench: Bench = {
  name: "graph",
  title: "the graph of the CPU images against buildx bake on the same builder",
  async run(say) {
    const platforms = PLATFORMS.filter((p) => listed("BENCH_PLATFORMS")?.includes(p) ?? true);
    const images = listed("BENCH_IMAGES") ?? (await cpuImages());
    say(`${images.join(", ")} for ${platforms.join(", ")}`);
    const machine = await benchMachine();
    try {
      const keelson = await benchCheckout(join(machine.folder, "keelson"), { images, platforms });
      const { catalogue } = await readCatalogue(projectRoot(), images);
      const bake = await bakeCatalogue(keelson.root, catalogue, platforms as Platform[], machine);
      const contest = { machine, keelson, bake, say };
      return [
        ...(await cold(contest)),
        ...(await warm(contest)),
        ...(await changed(contest, "leaf change", LEAF, [LEAF])),
        ...(await changed(contest, "base change", BASE, descendants(BASE, catalogue))),
        ...(await secondMachine(contest)),
      ];
    } finally {
      await machine.remove();
    }
  },
};

async function cold({ machine, keelson, bake, say }: Contest): Promise<Figure[]> {
  const up = async () => {
    await machine.fresh();
    await keelson.reset();
    return seconds(keelson.up);
  };
  const baked = async () => {
    await machine.fresh();
    return seconds(() => bake.run());
  };
  const [ups, bakes] = await turns("cold", COLD_ROUNDS, up, baked, say);
  return compare("cold", ups, bakes, { ratio: 1.5 });
}

/** Nothing changed. */
async function warm({ keelson, bake, say }: Contest): Promise<Figure[]> {
  say("both once more, so that the builder knows both");
  await bake.run();
  await keelson.up();
  const [ups, bakes] = await turns(
    "warm",
    ROUNDS,
    () => seconds(keelson.up),
    () => seconds(() => bake.run()),
    say,
  );
  return compare("warm", ups, bakes, {});
}

/**
 * One line in an image's last layer; each side gets lines that the other never saw. Bake is told which images the change
 * concerns, and pushes no other.
 */
async function changed(
  { keelson, bake, say }: Contest,
  name: string,
  image: string,
  concerned: readonly string[],
): Promise<Figure[]> {
  let serial = 0;
  const up = () => {
    changeLastLayer(join(keelson.root, "images", image, "Dockerfile"), `keelson-${++serial}`);
    return seconds(keelson.up);
  };
  const baked = () => {
    changeLastLayer(bake.dockerfile(image), `bake-${++serial}`);
    return seconds(() => bake.run(concerned));
  };
  say(`${name}: one round each to warm up`);
  await up();
  await baked();
  const [ups, bakes] = await turns(name, ROUNDS, up, baked, say);
  const less = { name: `${name}: up less bake`, value: median(ups) - median(bakes), unit: "s" } as const;
  return [...compare(name, ups, bakes, {}), concerned.length === 1 ? { ...less, atMost: 2 } : less];
}

/** An image and all that are made from it, in the catalogue's order. */
function descendants(image: string, catalogue: readonly CatalogueImage[]): string[] {
  const found = new Set([image]);
  const grow = () => {
    for (const { definition } of catalogue) if (found.has(definition.base)) found.add(definition.name);
  };
  for (const _ of catalogue) grow();
  return catalogue.map(({ definition }) => definition.name).filter((name) => found.has(name));
}

/** Nothing but the registry is there: no builder's cache, no state. Bake has its cache in the registry, and once has not. */
async function secondMachine({ machine, keelson, bake, say }: Contest): Promise<Figure[]> {
  say("second machine: bake's cache is written to the registry");
  await bake.run(undefined, "write");
  const bytes: Record<string, number[]> = { up: [], bake: [], bare: [] };
  const counted = (who: string, task: () => Promise<unknown>) => async () => {
    await machine.forget();
    const before = await machine.registryBytes();
    const time = await seconds(task);
    bytes[who]?.push((await machine.registryBytes()) - before);
    return time;
  };
  const fresh = async () => {
    await keelson.reset();
    return counted("up", keelson.up)();
  };
  const [ups, bakes] = await turns(
    "second machine",
    COLD_ROUNDS,
    fresh,
    counted("bake", () => bake.run(undefined, "read")),
    say,
  );
  say("second machine: bake without a cache");
  const bare = await counted("bare", () => bake.run())();
  const name = "second machine";
  const moved = (who: string) => median(bytes[who] ?? []) / 1e6;
  return [
    ...compare(name, ups, bakes, { ratio: 0.25 }),
    { name: `${name}: keelson moved`, value: moved("up"), unit: "MB" },
    { name: `${name}: bake moved`, value: moved("bake"), unit: "MB" },
    { name: `${name}: ratio of bytes`, value: moved("up") / moved("bake"), unit: "x", atMost: 0.25 },
    { name: `${name}: bake without a cache`, value: bare, unit: "s" },
    { name: `${name}: bake without a cache moved`, value: moved("bare"), unit: "MB" },
  ];
}

/** Takes turns, every second round in the other order. @returns the seconds of each. */
async function turns(
  name: string,
  rounds: number,
  up: () => Promise<number>,
  baked: () => Promise<number>,
  say: (line: string) => void,
): Promise<[number[], number[]]> {
  const [ups, bakes]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) ups.push(await up());
    bakes.push(await baked());
    if (round % 2 === 1) ups.push(await up());
    say(
      `${name}, round ${round + 1} of ${rounds}: keelson ${ups.at(-1)?.toFixed(2)} s, bake ${bakes.at(-1)?.toFixed(2)} s`,
    );
  }
  return [ups, bakes];
}

function compare(name: string, ups: number[], bakes: number[], atMost: { readonly ratio?: number }): Figure[] {
  const [up, bake] = [median(ups), median(bakes)];
  return [
    { name: `${name}: keelson`, value: up, unit: "s" },
    { name: `${name}: bake`, value: bake, unit: "s" },
    {
      name: `${name}: ratio`,
      value: up / bake,
      unit: "x",
      ...(atMost.ratio === undefined ? {} : { atMost: atMost.ratio }),
    },
  ];
}

async function cpuImages(): Promise<string[]> {
  const definitions = (await readDefinitions(projectRoot())).map(({ definition }) => definition);
  return definitions.filter((d) => !("track" in d) && !("cuda" in d)).map((d) => d.name);
}

/** A list in the environment. */
function listed(variable: string): string[] | undefined {
  return process.env[variable]?.split(",").filter(Boolean);
}
