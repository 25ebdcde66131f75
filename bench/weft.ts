import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { readArtifactLock } from "../config/catalogue.ts";
import { PUSHED_AS } from "../core/build-options.ts";
import { SOURCE_DATE_EPOCH } from "../core/epoch.ts";
import { PLATFORMS, type Platform, platformSlug } from "../core/platform.ts";
import { resolveBuilder } from "../toolchain/builder.ts";
import { home } from "../toolchain/home.ts";
import { silent } from "../toolchain/progress.ts";
import { openStore, stageLock } from "../toolchain/store.ts";
import { ensureTool } from "../toolchain/tools.ts";
import { benchCheckout } from "./checkout.ts";
import { type BenchMachine, benchMachine } from "./machine.ts";
import { type Bench, type Figure, ratio, seconds, sideBySide } from "./measure.ts";

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
/** The workspace's lower crate, which the program is made from, and the program itself. */
const LOWER = "crates/weft-gateway/src/lib.rs";
const UPPER = "crates/weft-cli/src/main.rs";

/**
 * Image weft, by `pulumi up --skip-preview`, and what one writes first: a Dockerfile of two stages that copies the source,
 * runs `cargo build --release`, and copies the program, for each platform on its own (emulated, where it is another's).
 * One builder, one registry, the same compiler from the same packages, in turns. keelson's time has staging, smoke tests and
 * gates in it. `BENCH_PLATFORMS=linux/amd64 npm run bench -- weft` measures one platform, BENCH_ROUNDS says how often source is changed.
 */
export const weftBench: Bench = {
  name: "weft",
  title: "image weft against a plain Dockerfile of two stages",
  async run(say) {
    const wanted = process.env.BENCH_PLATFORMS?.split(",");
    const platforms = PLATFORMS.filter((platform) => wanted?.includes(platform) ?? true);
    say(`weft for ${platforms.join(", ")}`);
    const machine = await benchMachine();
    try {
      const keelson = await benchCheckout(join(machine.folder, "keelson"), { images: ["weft"], platforms });
      const plain = await plainBuild(keelson.root, platforms, machine);
      const up = async () => {
        await machine.fresh();
        await keelson.reset();
        return seconds(keelson.up);
      };
      const built = async () => {
        await machine.fresh();
        return seconds(plain.run);
      };
      // The builder's cache holds what ran last: keelson's first rebuild below finds its dependencies.
      const peer = await built();
      say(`cold: plain ${peer.toFixed(1)} s`);
      const own = await up();
      say(`cold: keelson ${own.toFixed(1)} s; plain once more, so that the builder knows both`);
      await plain.run();
      let serial = 0;
      const changed = async (name: string, file: string): Promise<Figure[]> => {
        const rebuild = (workspace: string, task: () => Promise<unknown>) => () => {
          const path = join(workspace, file);
          writeFileSync(path, `${readFileSync(path, "utf8")}// bench ${++serial}\n`);
          return task();
        };
        const source = join(keelson.root, "images/weft/gateway");
        const times = await sideBySide(ROUNDS, rebuild(source, keelson.up), rebuild(plain.source, plain.run));
        say(`${name}: keelson ${times[0].toFixed(1)} s, plain ${times[1].toFixed(1)} s`);
        return ratio(name, times, 1);
      };
      return [
        ...ratio("cold", [own, peer]),
        ...(await changed("dependencies there, a crate below the program changed", LOWER)),
        ...(await changed("one line of the program changed", UPPER)),
      ];
    } finally {
      await machine.remove();
    }
  },
};

interface Plain {
  /** The workspace, as it is built. */
  readonly source: string;
  /** Builds and pushes all platforms. */
  readonly run: () => Promise<unknown>;
}

async function plainBuild(checkout: string, platforms: readonly Platform[], machine: BenchMachine): Promise<Plain> {
  const work = join(machine.folder, "plain");
  const source = join(work, "source");
  cpSync(join(checkout, "images/weft/gateway"), source, { recursive: true });
  const lock = readArtifactLock(checkout, "images/weft/packages.lock.json");
  const store = openStore(home().store);
  const packages = (platform: Platform) => join(work, `packages-${platformSlug(platform)}`);
  for (const platform of platforms) await stageLock(lock, platform, packages(platform), store);
  const dockerfile = join(work, "Dockerfile");
  mkdirSync(work, { recursive: true });
  writeFileSync(dockerfile, DOCKERFILE);
  return {
    source,
    async run() {
      const { nodes, env } = await resolveBuilder("embedded", silent);
      const args = [
        ...["--builder", nodes[0]?.builder ?? "", "--file", dockerfile, "--platform", platforms.join(",")],
        ...platforms.flatMap((p) => ["--build-context", `packages-${p.split("/")[1]}=${packages(p)}`]),
        ...["--build-arg", `BASE_IMAGE=${machine.base("debian:bookworm-slim")}`],
        ...["--build-arg", `SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH}`, "--provenance=false", "--progress=quiet"],
        ...["--output", `type=image,name=${machine.host()}/bench-plain/weft:latest,${PUSHED_AS}`],
      ];
      await execa((await ensureTool("buildx")).path, ["build", ...args, source], { env: { ...env } });
    },
  };
}

/** Packages come from a folder, where people write `FROM rust` and `apt-get install`: they are the same on both sides. */
const DOCKERFILE = `ARG BASE_IMAGE
FROM packages-\${TARGETARCH} AS packages
FROM \${BASE_IMAGE} AS build
RUN --mount=type=bind,from=packages,target=/packages \\
    apt-get install --quiet --yes --no-install-recommends /packages/tools/"$(dpkg --print-architecture)"/*.deb
WORKDIR /app
COPY . .
RUN cargo build --release --locked --package weft-cli --bin weft

FROM \${BASE_IMAGE}
RUN --mount=type=bind,from=packages,target=/packages \\
    apt-get install --quiet --yes --no-install-recommends /packages/debs/all/*.deb /packages/debs/"$(dpkg --print-architecture)"/*.deb \\
    && useradd --create-home weft
COPY --from=build /app/target/release/weft /usr/local/bin/weft
USER weft
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/weft"]
CMD ["gateway"]
`;
