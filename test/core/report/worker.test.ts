import assert from "node:assert/strict";
import fc from "fast-check";
import type { ReadImage } from "../../../core/analysis.ts";
import type { LayerScan, ScannedEntry } from "../../../core/layer.ts";
import { toMarkdown, toText } from "../../../core/report/document.ts";
import { makeWorkerReport, type WorkerReport } from "../../../core/report/worker.ts";
import { SPIKE } from "../../../core/report/worker-baseline.ts";
import { workerDocument } from "../../../core/report/worker-document.ts";
import { measureWorker } from "../../../core/report/worker-facts.ts";
import { decide, type Measured, type VerdictFacts } from "../../../core/report/worker-verdict.ts";

const MB = 1e6;
const measured = (unpacked: number, rest?: [number, number]): Measured => ({
  platform: "linux/amd64",
  unpacked: unpacked * MB,
  rests: rest ? [{ platform: "linux/arm64", bytes: rest[0] * MB, bound: rest[1] * MB }] : [],
});
const facts = (noGit: Measured, git: Measured, cli = 200): VerdictFacts => ({ cli: cli * MB, noGit, git });

describe("the worker verdict", () => {
  const cases: [string, VerdictFacts, string, RegExp[]][] = [
    ["both far under", facts(measured(300), measured(400)), "GO", []],
    ["exactly at the edge of headroom", facts(measured(475), measured(475)), "GO", []],
    [
      "little headroom",
      facts(measured(475.1), measured(475)),
      "GO WITH CONDITIONS",
      [/^measure again.*24\.9 MB more break the target of 500\.0 MB$/],
    ],
    ["at the revised target", facts(measured(500), measured(500)), "GO WITH CONDITIONS", [/0\.0 MB more/]],
    [
      "no git over the revised target",
      facts(measured(500.1), measured(550)),
      "NO-GO",
      [/^take 0\.1 MB out of the 300\.1 MB beside the CLI/],
    ],
    [
      "the CLI alone over it",
      facts(measured(600), measured(650), 510),
      "NO-GO",
      [/^no slimming does it: the CLI alone leaves -10\.0 MB/],
    ],
    [
      "git over 500",
      facts(measured(400), measured(500.1)),
      "GO WITH CONDITIONS",
      [/^recommended: workers run without git.*0\.1 MB over 500\.0 MB/],
    ],
    [
      "git at 600",
      facts(measured(400), measured(600)),
      "GO WITH CONDITIONS",
      [/^recommended/, /^measure again.*0\.0 MB more break the target of 600\.0 MB/],
    ],
    [
      "git over 600",
      facts(measured(400), measured(600.1)),
      "GO WITH CONDITIONS",
      [/^workers run without git: with git they are 0\.1 MB over even the target of 600\.0 MB/],
    ],
    [
      "the spike's own numbers",
      facts(measured(469), measured(588), 206),
      "GO WITH CONDITIONS",
      [/^recommended.*88\.0 MB over/, /^measure again.*12\.0 MB more break the target of 600\.0 MB/],
    ],
    ["rests at their bounds", facts(measured(300, [105, 105]), measured(320, [120, 120])), "GO", []],
    [
      "rest of no git over its bound",
      facts(measured(300, [105.1, 105]), measured(320)),
      "GO WITH CONDITIONS",
      [/^the image without git loses 0\.1 MB beside the CLI: 105\.1 MB, its bound is 105\.0 MB \(linux\/arm64\)$/],
    ],
    [
      "rest of git over its bound",
      facts(measured(300), measured(320, [121, 120])),
      "GO WITH CONDITIONS",
      [/^the image with git loses 1\.0 MB/],
    ],
  ];
  for (const [name, given, decision, conditions] of cases) {
    it(`${name}: ${decision}`, () => {
      const verdict = decide(given);
      assert.equal(verdict.decision, decision);
      assert.equal(verdict.conditions.length, conditions.length, verdict.conditions.join("\n"));
      for (const [i, pattern] of conditions.entries()) assert.match(verdict.conditions[i] ?? "", pattern);
    });
  }

  it("says what the CLI's growth does to the first plan", () => {
    assert.match(
      decide(facts(measured(480), measured(490), 377.5)).reasons[0] ?? "",
      /377\.5 MB of 480\.0 MB, all else 102\.5 MB: the first plan of 300\.0 MB is out of reach/,
    );
    assert.doesNotMatch(decide(facts(measured(290), measured(290), 206)).reasons[0] ?? "", /out of reach/);
    assert.match(
      decide(facts(measured(469), measured(588))).reasons.join("\n"),
      /without git: 469\.0 MB, 6\.2 % under 500\.0 MB\nwith git: 588\.0 MB, 17\.6 % over/,
    );
  });

  it("never gets better when an image grows", () => {
    const rank = { GO: 0, "GO WITH CONDITIONS": 1, "NO-GO": 2 };
    const size = fc.integer({ min: 210, max: 700 });
    fc.assert(
      fc.property(size, size, fc.nat(50), fc.nat(50), (noGit, git, a, b) => {
        const before = decide(facts(measured(noGit), measured(git)));
        const after = decide(facts(measured(noGit + a), measured(git + b)));
        assert.ok(rank[after.decision] >= rank[before.decision]);
      }),
    );
  });
});

const entry = (path: string, size: number, extra: Partial<ScannedEntry> = {}): ScannedEntry => ({
  path,
  kind: "file",
  size,
  mode: 0o644,
  uid: 0,
  gid: 0,
  ...extra,
});

/** A worker image in miniature: base, system, CLI. */
function worker(platform: string, git: boolean, interpreter = "/lib64/ld-linux-x86-64.so.2"): ReadImage {
  const layer = (name: string, compressed: number, entries: ScannedEntry[], facts: LayerScan["facts"] = []) => {
    const content = entries.reduce((sum, e) => sum + e.size, 0);
    const scan: LayerScan = {
      diffId: name,
      unpacked: content + 1e6,
      content,
      entries,
      facts,
      secrets: [],
      refused: [],
    };
    return {
      digest: `sha256:${name.repeat(16)}`,
      mediaType: "t",
      compressed,
      scan,
      createdBy: `RUN |1 A=b /bin/sh -c make ${name} # buildkit`,
    };
  };
  const list = (files: string[]) => ({ kind: "dpkg-list" as const, files });
  return {
    reference: `localhost/worker${git ? "-git" : ""}:1`,
    platform,
    digest: `sha256:${platform}`,
    history: [],
    layers: [
      layer("base", 29e6, [
        entry("usr/lib/libc.so.6", 20e6),
        entry("usr/lib/locale/locale-archive", 3e6),
        entry("etc/passwd", 1e6),
        entry("var/log/x", 2e6),
        entry("var/lib/dpkg/status", 0),
      ]),
      layer(
        "more",
        10e6,
        [entry("var/log/x", 1e6), ...(git ? [entry("usr/bin/git", 12e6)] : [])],
        [
          [
            "var/lib/dpkg/status",
            {
              kind: "dpkg-status",
              entries: [
                { name: "libc6", version: "2.36", architecture: "amd64" },
                { name: "git", version: "2.39", architecture: "amd64" },
              ],
            },
          ],
          ["var/lib/dpkg/info/libc6:amd64.list", list(["usr/lib/libc.so.6"])],
          ["var/lib/dpkg/info/git.list", list(["usr/bin/git"])],
        ],
      ),
      layer("cli", 150e6, [entry("usr/local/bin/claude", 377.5e6, { elf: { machine: 62, bits: 64, interpreter } })]),
    ].map((l, i) =>
      i === 1
        ? {
            ...l,
            scan: {
              ...l.scan,
              entries: [
                ...l.scan.entries,
                entry("var/lib/dpkg/status", 0),
                entry("var/lib/dpkg/info/libc6:amd64.list", 0),
                entry("var/lib/dpkg/info/git.list", 0),
              ],
            },
          }
        : l,
    ),
  };
}

function report(interpreter?: string): WorkerReport {
  const image = (git: boolean) => ({
    name: git ? "worker-minimal" : "worker-ultramin",
    platforms: ["linux/amd64", "linux/arm64"].map((p) =>
      measureWorker(worker(p, git, interpreter), ["/usr/local/bin/claude"], git ? 120e6 : 105e6),
    ),
  });
  return makeWorkerReport(image(false), image(true));
}

describe("the worker report", () => {
  it("measures the CLI, directories, locales and packages", () => {
    const [amd64] = report().git.platforms;
    assert.equal(amd64?.cli, 377.5e6);
    assert.equal(amd64?.cliCompressed, 150e6);
    assert.equal(amd64?.locales, 3e6);
    assert.deepEqual(amd64?.directories, { "/usr": 35e6, "/var": 1e6, "/etc": 1e6 });
    assert.deepEqual(
      amd64?.analysis.packages.map((p) => [p.name, p.bytes]),
      [
        ["/usr/local/bin/claude", 377.5e6],
        ["libc6", 20e6],
        ["git", 12e6],
      ],
    );
    assert.equal(amd64?.analysis.waste.bytes, 2e6);
  });

  it("explains every byte of today's image, and shows what the spike left open", () => {
    const markdown = toMarkdown(workerDocument(report()));
    const rows = markdown.split("\n").filter((line) => line.includes("the part that no table explains"));
    // By directory and by package, for each image and platform.
    assert.equal(rows.length, 8);
    assert.equal(rows.filter((row) => /\| 0\.0 MB \| 0\.0 % \| (129\.0|160\.3) MB \|/.test(row)).length, 4);
    assert.equal(rows.filter((row) => /explains \| {2}\| 0\.0 MB \|/.test(row)).length, 4);
  });

  it("shows the spike's numbers beside today's", () => {
    const text = toText(workerDocument(report()));
    for (const number of [
      "469.0 MB",
      "588.0 MB",
      "2850.0 MB",
      "74.0 MB",
      "206.0 MB",
      "126.0 MB",
      "213.0 MB",
      "6.2 % under",
      "17.6 % over",
      "46.6 MB",
      "23.7 MB",
      "16.2 MB",
    ]) {
      assert.ok(text.includes(number), `${number} in\n${text}`);
    }
    assert.match(text, /libperl5\.36 +absent +0\.0 MB +31\.4 MB/);
  });

  it("judges the five options by what is measured", () => {
    const judged = report().options.map((o) => [o.name, Math.round(o.saves / 1e5) / 10, o.judgement]);
    assert.deepEqual(judged, [
      ["Remove git", 12, "not needed"],
      ["Alpine base", 27, "ruled out"],
      ["Remove locales", 3, "not recommended"],
      ["Multi-stage build", 2, "nothing to gain"],
      ["UPX on the CLI", 264.2, "not recommended"],
    ]);
    assert.equal(report("/lib/ld-musl-x86_64.so.1").options[1]?.judgement, "worth a try");
  });

  it("is the same for the same images", () => {
    assert.deepEqual(JSON.parse(JSON.stringify(report())), JSON.parse(JSON.stringify(report())));
    assert.equal(toMarkdown(workerDocument(report())), toMarkdown(workerDocument(report())));
  });

  it("wants both images for the same platforms", () => {
    const { noGit, git } = report();
    assert.throws(
      () => makeWorkerReport(noGit, { ...git, platforms: git.platforms.slice(1) }),
      /linux\/amd64, linux\/arm64.*worker-minimal for linux\/arm64/,
    );
    assert.throws(() => makeWorkerReport({ ...noGit, platforms: [] }, { ...git, platforms: [] }), /for none/);
  });

  it("keeps the spike's numbers as they stand in it", () => {
    assert.equal(SPIKE.packages.git.git, 45_520 * 1024);
    assert.equal(SPIKE.images.git - SPIKE.images.noGit, SPIKE.options.git);
  });
});
