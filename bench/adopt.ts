import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { median } from "../core/median.ts";
import { projectRoot } from "../toolchain/home.ts";
import { type Bench, type Figure, seconds } from "./measure.ts";

/** Images of one family: each stands on the one before, from a base of the family's own. */
const PER_FAMILY = 10;

/** `keelson adopt` as a whole command on trees of 100 and 1,000 Dockerfiles with their scripts, compose files and charts. */
export const adoptBench: Bench = {
  name: "adopt",
  title: "adopt of 100 and 1,000 Dockerfiles",
  async run() {
    const figures: Figure[] = [];
    for (const count of [100, 1000]) {
      const tree = mkdtempSync(join(tmpdir(), "keelson-bench-"));
      try {
        for (let family = 0; family < count / PER_FAMILY; family++) writeFamily(join(tree, `family-${family}`), family);
        const walls: number[] = [];
        const processor: number[] = [];
        for (let i = 0; i < 5; i++)
          walls.push(
            await seconds(() => {
              processor.push(adopt(tree, count));
            }),
          );
        figures.push(
          {
            name: `${count} Dockerfiles`,
            value: median(walls),
            unit: "s",
            ...(count === 1000 ? { atMost: 5 } : {}),
          },
          { name: `${count} Dockerfiles, processor time`, value: median(processor), unit: "s" },
        );
      } finally {
        rmSync(tree, { recursive: true, force: true });
      }
    }
    return figures;
  },
};

/** Says what the process used, as its last words. */
const REPORT = "data:text/javascript,process.on('exit',()=>console.error(JSON.stringify(process.cpuUsage())))";

/** Runs the command, and sees that it read the tree as a whole. @returns seconds of processor time. */
function adopt(tree: string, count: number): number {
  const args = ["--import", REPORT, join(projectRoot(), "cli/main.ts"), "adopt", tree, "--json"];
  const { stdout, stderr } = spawnSync(process.execPath, args, { maxBuffer: 2 ** 28, encoding: "utf8" });
  const { images, findings } = JSON.parse(stdout);
  const based = images.filter((image: { bases: { to: { kind: string } }[] }) => image.bases[0]?.to.kind === "image");
  const expected = count - count / PER_FAMILY;
  if (images.length !== count || based.length !== expected || findings.length < count)
    throw new Error(`expected ${count} images, ${expected} of them on others, found ${images.length}, ${based.length}`);
  const used: { user: number; system: number } = JSON.parse(stderr.trim().split("\n").at(-1) ?? "");
  return (used.user + used.system) / 1e6;
}

function writeFamily(folder: string, family: number): void {
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const names = Array.from({ length: PER_FAMILY }, (_, i) => `image-${family}-${i}`);
  for (const [i, name] of names.entries()) write(`${name}/Dockerfile`, dockerfile(i));
  const builds = names.map(
    (name, i) =>
      `build ${name} ${i === 0 ? "debian:12.11-slim" : `"$REPO/${names[i - 1]}:$VERSION"`} --platform linux/amd64,linux/arm64`,
  );
  write(
    "build.sh",
    [
      "#!/usr/bin/env bash",
      'cd "$(dirname "$0")"',
      "REPO=ghcr.io/bench VERSION=${VERSION:-1.0.0}",
      'build() { local name=$1 base=$2; shift 2; docker buildx build --push --build-arg BASE_IMAGE="$base" -t "$REPO/$name:$VERSION" "$@" "$name"; }',
      ...builds,
      "",
    ].join("\n"),
  );
  const services = names.map(
    (name) => `  ${name}:\n    image: ghcr.io/bench/${name}:1.0.0\n    ports: ["80:8000"]\n    mem_limit: 1g\n`,
  );
  write("compose.yaml", `services:\n${services.join("")}`);
  for (const name of names)
    write(
      `charts/${name}/values.yaml`,
      `image:\n  repository: ghcr.io/bench/${name}\n  tag: 1.0.0\ncontainerPort: 8001\n`,
    );
}

/** A Dockerfile of the usual length, with a port that the chart does not have and root at the end. */
function dockerfile(i: number): string {
  const packages = Array.from({ length: 12 }, (_, n) => `      package-${i}-${n} \\\n`).join("");
  return `# syntax=docker/dockerfile:1
ARG BASE_IMAGE
FROM golang:1.24.6-bookworm AS build
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN GOARCH=$TARGETARCH go build -o /out/app ./cmd/app

FROM \${BASE_IMAGE}
RUN apt-get update \\
 && apt-get install -y --no-install-recommends \\
${packages} && rm -rf /var/lib/apt/lists/*
RUN <<EOF
set -eu
curl -fsSL https://example.com/tool-$(uname -m).tar.gz | tar -xz -C /usr/local
EOF
COPY --from=build /out/app /usr/local/bin/app
ENV LANG=C.UTF-8 PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s CMD curl -f http://localhost:8000/health || exit 1
USER root
ENTRYPOINT ["/usr/local/bin/app"]
`;
}
