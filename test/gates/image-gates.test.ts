import assert from "node:assert/strict";
import type { Size } from "../../core/size.ts";
import { architecture } from "../../gates/architecture.ts";
import { archive } from "../../gates/archive.ts";
import { efficiency } from "../../gates/efficiency.ts";
import { growth } from "../../gates/growth.ts";
import { health } from "../../gates/health.ts";
import { IMAGE_GATES, judgeImage } from "../../gates/index.ts";
import { init } from "../../gates/init.ts";
import { labels } from "../../gates/labels.ts";
import { leftovers } from "../../gates/leftovers.ts";
import { secret } from "../../gates/secret.ts";
import { size } from "../../gates/size.ts";
import { user } from "../../gates/user.ts";
import { found, subjectOf } from "./subject.ts";

const big = (bytes: number) => Buffer.alloc(bytes, 1);

function elf(machine: number): Buffer {
  const head = Buffer.alloc(64);
  head.write("\x7fELF\x02\x01\x01", "latin1");
  head.writeUInt16LE(machine, 18);
  return head;
}

describe("image gates", () => {
  it("have one shape and names of their own", () => {
    const ids = IMAGE_GATES.map((gate) => gate.id);
    assert.equal(new Set(ids).size, ids.length);
    for (const gate of IMAGE_GATES) assert.match(gate.description, /^[^A-Z].{20,120}[^.]$/, gate.id);
  });

  it("size: holds compressed, unpacked and rest to the budget", async () => {
    const layers = [
      [
        ["opt/cli", big(300_000)],
        ["etc/x", big(100_000)],
      ],
    ] as const;
    const budget = (b: object) => subjectOf({ layers }, { definition: { budget: b } });
    assert.deepEqual(found(size, await budget({})), []);
    assert.deepEqual(
      found(
        size,
        await budget({ compressed: "1 MB", unpacked: "1 MB", rest: { without: ["/opt/cli"], unpacked: "110 kB" } }),
      ),
      [],
    );
    const over = found(
      size,
      await budget({ compressed: "0.4 MB", unpacked: "400 kB", rest: { without: ["/opt/cli/"], unpacked: "100 kB" } }),
    );
    assert.deepEqual(
      over.map((f) => f.split(" ")[0]),
      ["size/compressed", "size/unpacked", "size/rest"],
    );
    assert.match(over[2] ?? "", /linux\/amd64: 10\d kB unpacked without \/opt\/cli\/, its budget is 100 kB: \d.* over/);
  });

  it("size: holds single files to their bounds, and misses those that are gone", async () => {
    const layers = [[["usr/bin/app", big(300_000)]]] as const;
    const files = (budget: Readonly<Record<string, Size>>) => ({ definition: { budget: { files: budget } } });
    assert.deepEqual(found(size, await subjectOf({ layers }, files({ "/usr/bin/app": "300 kB" }))), []);
    const over = found(
      size,
      await subjectOf({ layers }, files({ "/usr/bin/app": "299 kB", "/usr/bin/other": "1 MB" })),
    );
    assert.equal(over.length, 2);
    assert.match(over[0] ?? "", /^size\/file .*300 kB in \/usr\/bin\/app, its budget is 299 kB/);
    assert.match(over[1] ?? "", /\/usr\/bin\/other has a budget, but is not there/);
  });

  it("size: a platform may have a bound of its own", async () => {
    const rest = (on: Readonly<Record<string, Size>>) => ({
      definition: { budget: { rest: { without: [], unpacked: "100 kB" as const, on } } },
    });
    const layers = [[["etc/x", big(150_000)]]] as const;
    assert.equal(found(size, await subjectOf({ layers }, rest({ "linux/arm64": "200 kB" }))).length, 1);
    assert.deepEqual(found(size, await subjectOf({ layers }, rest({ "linux/amd64": "200 kB" }))), []);
  });

  it("size: a copy in an earlier layer counts as rest", async () => {
    const layers = [[["opt/cli", big(300_000)]], [["opt/cli", big(300_000)]]] as const;
    const subject = await subjectOf(
      { layers },
      { definition: { budget: { rest: { without: ["opt/cli"], unpacked: "200 kB" } } } },
    );
    assert.equal(found(size, subject).length, 1);
  });

  it("growth: tells of more than a tenth and 5 MB", async () => {
    const layers = [[["x", big(20_000_000)]]] as const;
    const grown = async (unpacked: number) =>
      found(growth, await subjectOf({ layers }, { previous: { compressed: 20e6, unpacked } }));
    assert.deepEqual(await grown(19e6), []);
    assert.match(
      (await grown(12e6)).join(),
      /growth\/unpacked app: linux\/amd64: 20\.0 MB unpacked, was 12\.0 MB \(67 % more\)/,
    );
    assert.match((await grown(0)).join(), /was 0 B$/);
    assert.deepEqual(found(growth, await subjectOf({ layers })), []);
  });

  describe("user", () => {
    const cases: [string | undefined, string | undefined, string | undefined][] = [
      [undefined, undefined, "user/root"],
      ["", "10001:10001", "user/root"],
      ["root", undefined, "user/root"],
      ["0:0", undefined, "user/root"],
      ["00", undefined, "user/root"],
      ["10001:10001", "10001:10001", undefined],
      ["10001", "10001:10001", "user/differs"],
      ["node", undefined, "user/name"],
      ["1000", undefined, undefined],
    ];
    for (const [User, wanted, rule] of cases) {
      it(`USER ${User}, wanted ${wanted}: ${rule ?? "fine"}`, async () => {
        const subject = await subjectOf(
          { config: { User } },
          { definition: wanted === undefined ? {} : { user: wanted } },
        );
        assert.deepEqual(
          found(user, subject).map((f) => f.split(" ")[0]),
          rule === undefined ? [] : [rule],
        );
      });
    }
  });

  it("init: takes the word of a program that does an init's work itself", async () => {
    const says = async (value: string) =>
      found(
        init,
        await subjectOf({ config: { Entrypoint: ["/usr/local/bin/weft"], Labels: { "io.keelson.init": value } } }),
      );
    assert.deepEqual(await says("own"), []);
    assert.equal((await says("yes")).length, 1);
  });

  it("init: knows inits by name, in ENTRYPOINT or CMD", async () => {
    const cases: [string[] | null, string[] | null, boolean][] = [
      [["/usr/bin/tini", "--"], ["bash"], true],
      [null, ["dumb-init", "x"], true],
      [["node", "server.js"], null, false],
      [["/bin/sh", "-c", "tini"], null, false],
      [null, null, false],
    ];
    for (const [Entrypoint, Cmd, fine] of cases) {
      const all = found(init, await subjectOf({ config: { Entrypoint, Cmd } }));
      assert.deepEqual(
        all.map((f) => f.split(" ")[0]),
        fine ? [] : ["init/missing"],
      );
    }
  });

  it("health: takes a HEALTHCHECK or the definition's", async () => {
    assert.equal(found(health, await subjectOf()).length, 1);
    assert.equal(found(health, await subjectOf({ config: { Healthcheck: { Test: ["NONE"] } } })).length, 1);
    assert.equal(found(health, await subjectOf({ config: { Healthcheck: { Test: ["CMD", "x"] } } })).length, 0);
    assert.equal(found(health, await subjectOf({}, { definition: { healthDefined: true } })).length, 0);
  });

  it("labels: wants them on the index, and those of a commit nowhere else", async () => {
    const key = (k: string) => `org.opencontainers.image.${k}`;
    const all = Object.fromEntries(["source", "version", "revision", "created"].map((k) => [key(k), "x"]));
    assert.match(found(labels, await subjectOf()).join(), /lacks .*source.*version.*revision.*created/);
    assert.deepEqual(found(labels, await subjectOf({}, { annotations: all })), []);
    const labelled = await subjectOf(
      { config: { Labels: { [key("version")]: "1", [key("created")]: "now" } } },
      { annotations: all },
    );
    assert.deepEqual(
      found(labels, labelled).map((f) => f.split(" ")[0]),
      ["labels/in-config"],
    );
  });

  it("secret: finds canaries in layers, deleted ones too", async () => {
    const token = `ghp_${"a1B2".repeat(9)}`;
    const layers = [
      [
        ["app/a.txt", `x\n${token}\n`],
        ["root/.ssh/id_rsa", "k"],
      ],
      [["root/.ssh/.wh.id_rsa"], ["app/b.txt", "harmless"]],
    ] as const;
    const all = found(secret, await subjectOf({ layers }));
    assert.deepEqual(all, [
      "secret/text app:/app/a.txt: linux/amd64: looks like a secret (github-token) in line 2 of layer 1",
      "secret/file app:/root/.ssh/id_rsa: linux/amd64: looks like a secret (ssh-key) of layer 1, deleted or replaced later: whoever pulls the image has it",
    ]);
    assert.ok(!JSON.stringify(all).includes(token));
  });

  it("secret: finds canaries in variables, labels and history, and shows none", async () => {
    const token = `npm_${"a1B2".repeat(9)}`;
    const subject = await subjectOf({
      config: { Env: ["PATH=/bin", "DB_PASSWORD=hunter2", "EMPTY_TOKEN="], Labels: { note: token } },
      history: [
        "RUN |2 API_KEY=hunter2 B=1 /bin/sh -c make # buildkit",
        `RUN /bin/sh -c curl -H ${token} # buildkit`,
        "ARG NPM_TOKEN=hunter2",
        "ARG NPM_TOKEN",
        "/bin/sh -c #(nop)  ENV SECRET_KEY=hunter2",
        "RUN --mount=type=secret,id=npm /bin/sh -c npm ci",
        "RUN |1 TARGETARCH=amd64 /bin/sh -c true # buildkit",
        `RUN /bin/sh -c pip install -i https://bob:${"hunter2"}@wheels.example/simple app # buildkit`,
      ],
    });
    const all = found(secret, subject);
    assert.deepEqual(
      all.map((f) => f.replace("app: linux/amd64: ", "").replace(" looks like a secret", "")),
      [
        "secret/variable the variable DB_PASSWORD",
        "secret/variable the label note",
        "secret/history the argument API_KEY in step 1 of its history",
        "secret/history step 2 of its history",
        "secret/history the argument NPM_TOKEN in step 3 of its history",
        "secret/history the argument SECRET_KEY in step 5 of its history",
        "secret/history step 8 of its history",
      ],
    );
    assert.ok(!/hunter2|a1B2/.test(JSON.stringify(all)));
  });

  it("architecture: names foreign files that are still there", async () => {
    const layers = [
      [
        ["bin/a", elf(183)],
        ["bin/b", elf(62)],
        ["bin/c", elf(40)],
        ["bin/bpf.o", elf(247)],
      ],
      [["bin/.wh.c"]],
    ] as const;
    assert.deepEqual(found(architecture, await subjectOf({ layers })), [
      "architecture/elf app:/bin/a: linux/amd64: is for arm64",
    ]);
    assert.deepEqual(found(architecture, await subjectOf({ layers }, { platform: "linux/arm64" })), [
      "architecture/elf app:/bin/b: linux/arm64: is for amd64",
    ]);
    const many = [Array.from({ length: 12 }, (_, i) => [`bin/${i}`, elf(183)] as const)];
    const all = found(architecture, await subjectOf({ layers: many }));
    assert.equal(all.length, 11);
    assert.match(all.at(-1) ?? "", /2 more files/);
  });

  it("efficiency: tells of deleted and overwritten bytes", async () => {
    const wasteful = [
      [
        ["cache", big(8_000_000)],
        ["app", big(2_000_000)],
      ],
      [[".wh.cache"]],
    ] as const;
    assert.match(
      found(efficiency, await subjectOf({ layers: wasteful })).join(),
      /8\.0 MB of 10\.0 MB are deleted.*\/cache \(8\.0 MB, layer 1\)/,
    );
    const small = [[["cache", big(100_000)]], [[".wh.cache"]]] as const;
    assert.deepEqual(found(efficiency, await subjectOf({ layers: small })), []);
  });

  it("leftovers: knows what each manager leaves, and what is none", async () => {
    const layers = [
      [
        ["var/lib/apt/lists/deb.example_Packages", "x"],
        ["var/lib/apt/lists/lock", "x"],
        ["var/cache/apt/pkgcache.bin", "x"],
        ["root/.npm/_cacache/index", "x"],
        ["home/u/.cache/pip/http/1", "x"],
        ["src/.git/objects/aa/bb", "x"],
        ["usr/lib/python3/dist-packages/pip/__init__.py", "x"],
      ],
    ] as const;
    const all = found(leftovers, await subjectOf({ layers }));
    assert.deepEqual(
      all.map((f) => f.split(" ")[0]),
      ["leftovers/apt", "leftovers/npm", "leftovers/pip", "leftovers/git"],
    );
    assert.match(all[0] ?? "", /2 B in 2 files/);
  });

  it("archive: tells of names that climb", async () => {
    const all = found(archive, await subjectOf({ layers: [[["../../etc/cron.d/x", "x"]]] }));
    assert.match(all.join(), /archive\/climbs app: linux\/amd64: layer 1 holds the name "\.\.\/\.\.\/etc\/cron\.d\/x"/);
  });

  it("judgeImage: applies a stack's severities and allowances", async () => {
    const subject = await subjectOf(
      {
        layers: [
          [
            ["app/.env", "x"],
            ["test/.env", "x"],
          ],
        ],
        config: { User: "root" },
      },
      { definition: { healthDefined: true } },
    );
    const all = judgeImage(subject, {
      severity: { "user/root": "warning", labels: "off", init: "off" },
      allow: [{ rule: "secret", subject: "app:/test/*", reason: "a fixture" }],
    });
    assert.deepEqual(
      all.map((f) => `${f.severity} ${f.rule} ${f.subject}`),
      ["error secret/file app:/app/.env", "warning user/root app"],
    );
  });
});
