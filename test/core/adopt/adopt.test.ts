import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parse } from "yaml";
import { walkTree } from "../../../cli/adopt-walk.ts";
import {
  adoptionJson,
  findingsText,
  lineageDot,
  lineageMermaid,
  lineageTree,
  summaryLine,
} from "../../../core/adopt/render.ts";
import { type Adoption, adopt } from "../../../core/adopt.ts";

function read(files: Record<string, string>, root = "tree"): Adoption {
  return adopt({ root, files: Object.entries(files).map(([path, text]) => ({ path, text })), unreadable: [] });
}

const bases = (adoption: Adoption) =>
  Object.fromEntries(
    adoption.images.map((image) => [
      image.name,
      image.bases.map(({ to }) => ("id" in to ? to.id : "ref" in to ? to.ref : to.kind)),
    ]),
  );

describe("adopt: lineage", () => {
  it("follows tags of builds, arguments, stages, contexts and bake targets", () => {
    const adoption = read({
      "build.sh":
        "R=ghcr.io/t\ndocker build -t $R/base:1 base\ndocker build -t $R/api:1 --build-arg BASE=$R/base:1 api\n",
      "docker-bake.hcl":
        'target "web" {\n context = "web"\n contexts = { base = "target:lib" }\n tags = ["web"]\n}\ntarget "lib" {\n context = "lib"\n tags = ["lib"]\n}\n',
      "base/Dockerfile": "FROM debian:12\n",
      "api/Dockerfile": "ARG BASE=debian\nFROM golang:1 AS b\nFROM ${BASE} AS x\nFROM x\nCOPY --from=b / /\n",
      "web/Dockerfile": "FROM base\n",
      "lib/Dockerfile": "FROM scratch\n",
    });
    assert.deepEqual(bases(adoption), {
      base: ["debian:12"],
      api: ["base/Dockerfile"],
      web: ["lib/Dockerfile"],
      lib: ["scratch"],
    });
    assert.deepEqual(
      adoption.images.find(({ name }) => name === "api")?.reads.map(({ to, line }) => ["ref" in to && to.ref, line]),
      [["golang:1", 2]],
    );
  });

  it("knows an image by its folder where a loop builds it", () => {
    const adoption = read({
      Makefile: "build/%:\n\tdocker build -t r.io/t/$(notdir $@):latest images/$(notdir $@)\n",
      "images/base/Dockerfile": "FROM debian:12\n",
      "images/app/Dockerfile": "ARG R=r.io\nFROM $R/t/base\n",
    });
    assert.deepEqual(bases(adoption).app, ["images/base/Dockerfile"]);
  });

  it("takes a FROM that may be a stage for no image from outside", () => {
    const adoption = read({
      "b.sh": 'docker build --build-arg KIND="$KIND" -t r/app:1 .',
      Dockerfile: "ARG KIND=full\nFROM debian:12 AS app-full\nFROM alpine:3.22 AS app-small\nFROM app-${KIND}\n",
    });
    assert.deepEqual(bases(adoption), { app: [] });
  });

  it("takes the nearest of several images of one name", () => {
    const adoption = read({
      "x/skaffold.yaml":
        "apiVersion: skaffold/v3\nbuild: { artifacts: [{ image: app, context: app, requires: [{ image: base, alias: BASE }] }, { image: base, context: base }] }\n",
      "x/app/Dockerfile": "ARG BASE\nFROM $BASE\n",
      "x/base/Dockerfile": "FROM debian:12\n",
      "y/build.sh": "docker build -t base base\ndocker build --build-arg BASE=base -t y/app app\n",
      "y/app/Dockerfile": "ARG BASE\nFROM $BASE\n",
      "y/base/Dockerfile": "FROM debian:13\n",
    });
    assert.deepEqual(
      adoption.images.map(({ id, bases: [link] }) => [id, link && "id" in link.to ? link.to.id : undefined]),
      [
        ["x/app/Dockerfile", "x/base/Dockerfile"],
        ["x/base/Dockerfile", undefined],
        ["y/app/Dockerfile", "y/base/Dockerfile"],
        ["y/base/Dockerfile", undefined],
      ],
    );
  });

  it("knows the tree's own images by their folders where no build is read, and only where no two have the name", () => {
    const files = {
      "base/Dockerfile": "FROM debian:12\n",
      "lib/Dockerfile": "FROM q.io/team/base\n",
      "app/Dockerfile": "FROM q.io/team/lib\n",
    };
    assert.deepEqual(bases(read(files)), { base: ["debian:12"], lib: ["base/Dockerfile"], app: ["lib/Dockerfile"] });
    const twice = bases(read({ ...files, "old/base/Dockerfile": "FROM debian:11\n" }));
    assert.deepEqual([twice.lib, twice.app], [["q.io/team/base"], ["q.io/team/lib"]]);
  });

  it("takes no folder for a stranger's image of the same name", () => {
    const adoption = read({
      "base/Dockerfile": "FROM debian:12\n",
      "python/Dockerfile": "FROM python:3\n",
      "app/Dockerfile": "FROM gcr.io/distroless/base\n",
    });
    assert.deepEqual(bases(adoption), { base: ["debian:12"], python: ["python:3"], app: ["gcr.io/distroless/base"] });
  });

  it("makes an image of each target that is built and tagged", () => {
    const adoption = read({
      "b.sh": "docker build --target dev -t app:dev .\ndocker build --target test .\ndocker build -t app:1 .",
      Dockerfile: "FROM a:1 AS dev\nFROM dev AS test\nFROM dev\n",
    });
    assert.deepEqual(
      adoption.images.map(({ id }) => id),
      ["Dockerfile", "Dockerfile#dev"],
    );
  });

  it("gives every image a name of its own that a definition can have", () => {
    const paths = [
      "Dockerfile",
      "Dockerfile.gpu",
      "docker/Dockerfile",
      "a/Dockerfile",
      "x/a/Dockerfile",
      "1.0/Dockerfile",
      "py/3.11/slim/Dockerfile",
      "py/3.12/slim/Dockerfile",
      "É/Dockerfile",
      "web.Dockerfile",
      "a/b/c/Dockerfile-dev",
    ];
    const names = read(Object.fromEntries(paths.map((path) => [path, "FROM a:1\n"])), "My Tree").images.map(
      ({ name }) => name,
    );
    assert.equal(new Set(names).size, paths.length);
    for (const name of names) assert.match(name, /^[a-z][a-z0-9-]*$/);
    assert.ok(
      ["my-tree", "my-tree-gpu", "web", "py-3-11-slim", "py-3-12-slim", "a", "x-a", "c-dev"].every((name) =>
        names.includes(name),
      ),
      names.join(" "),
    );
  });
});

const FIXTURES = join(import.meta.dirname, "../../fixtures/adopt");

function readFixture(name: string) {
  const { files, findings } = walkTree(join(FIXTURES, name));
  return { files, adoption: adopt({ root: name, files, unreadable: findings }) };
}

/** A tree's lineage and findings as they stand beside it; `UPDATE_GOLDEN=1` writes them anew. */
function golden(file: string, text: string): void {
  const path = join(FIXTURES, file);
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(path, text);
  assert.equal(text, readFileSync(path, "utf8"));
}

describe("adopt: whole trees", () => {
  for (const name of ["clean", "fleet", "gateway", "shop"]) {
    const { files, adoption } = readFixture(name);
    it(`finds exactly what is wrong with ${name}, where it is`, () => {
      const lines = adoption.findings.map(
        ({ severity, rule, where, message }) => `${severity} ${rule} ${where?.file}:${where?.line}: ${message}\n`,
      );
      golden(`${name}.findings.txt`, lines.join(""));
    });

    it(`draws the lineage of ${name}`, () => {
      golden(`${name}.lineage.txt`, `${lineageTree(adoption)}\n\n${summaryLine(adoption)}\n`);
    });

    it(`says the same of ${name} whatever order its files come in`, () => {
      fc.assert(
        fc.property(fc.shuffledSubarray([...files], { minLength: files.length }), (shuffled) => {
          assert.equal(adoptionJson(adopt({ root: name, files: shuffled, unreadable: [] })), adoptionJson(adoption));
        }),
        { numRuns: 10 },
      );
    });
  }

  it("finds nothing wrong with a clean tree", () => assert.deepEqual(readFixture("clean").adoption.findings, []));

  it("finds every kind of defect in the others", () => {
    const found = ["fleet", "gateway", "shop"].flatMap((name) => readFixture(name).adoption.findings);
    const rules = new Set(found.map(({ rule }) => rule));
    for (const rule of [
      "from-ignores-argument",
      "undeclared-argument",
      "image-defined-twice",
      "same-dockerfile",
      "tag-not-built",
      "tag-not-pushed",
      "moving-tag",
      "latest",
      "insecure-download",
      "one-architecture",
      "secret",
      "root",
      "gpu-architecture",
      "size-disagrees",
      "port-disagrees",
      "no-dockerfile",
      "template",
      "not-read",
    ])
      assert.ok(rules.has(`adopt/${rule}`), rule);
  });

  it("gives JSON, Graphviz and Mermaid that can be read back", () => {
    const { adoption } = readFixture("shop");
    const json = JSON.parse(adoptionJson(adoption));
    assert.deepEqual([json.schema, json.images.length, json.findings.length], [1, 9, adoption.findings.length]);
    assert.doesNotMatch(adoptionJson(adoption), /not-a-real-one/);
    const dot = lineageDot(adoption);
    assert.match(dot, /^digraph lineage \{\n/);
    assert.match(dot, /"docker\/Dockerfile\.base" -> "services\/api\/Dockerfile";/);
    const mermaid = lineageMermaid(adoption).split("\n");
    assert.deepEqual([mermaid[0], mermaid[1], mermaid.at(-1)], ["```mermaid", "graph LR", "```"]);
    for (const line of mermaid.slice(2, -1))
      assert.match(line, /^ {2}n\d+(?:\["[^"]+"\]|\(\["[^"]+"\]\)| (?:-->|-\.->) n\d+)$/);
  });

  it("shows a few findings of each rule, or all", () => {
    const { findings } = readFixture("shop").adoption;
    const text = findingsText(findings, 1);
    assert.match(text, /error: adopt\/insecure-download \(2\)\n {2}\S+:4 {2}[^\n]+\n {2}… and 1 more\n {2}fix: /);
    assert.doesNotMatch(findingsText(findings, Number.POSITIVE_INFINITY), /… and/);
  });

  it("says below each kind of a rule's findings what mends it, once", () => {
    const { findings } = read({
      "a/Dockerfile":
        "FROM debian:12\nRUN curl -k https://x.example/y\nRUN wget --no-check-certificate https://x.example/z\n",
      "b/Dockerfile": "FROM debian:12\nENV NODE_TLS_REJECT_UNAUTHORIZED=0\n",
    });
    const text = findingsText(findings.filter(({ rule }) => rule === "adopt/insecure-download"));
    assert.deepEqual(
      text.split("\n").map((line) => line.replace(/^ {2}(?:(\S+:\d+) .*|(fix): .*)$/, "$1$2")),
      ["error: adopt/insecure-download (3)", "a/Dockerfile:2", "a/Dockerfile:3", "fix", "b/Dockerfile:2", "fix"],
    );
  });

  it("names every file of a circle", () => {
    const { findings } = read({
      "a/Dockerfile": "FROM acme/b:1\n",
      "b/Dockerfile": "# b\nFROM acme/c:1\n",
      "c/Dockerfile": "FROM debian:12\nCOPY --from=acme/a:1 /x /x\n",
      Makefile: ["a", "b", "c"].map((name) => `${name}:\n\tdocker build -t acme/${name}:1 ${name}\n`).join(""),
    });
    const [circle] = findings.filter(({ rule }) => rule === "adopt/circle");
    for (const place of ["a/Dockerfile:1", "b/Dockerfile:2", "c/Dockerfile:1"])
      assert.ok(circle?.message.includes(place), `${place} in ${circle?.message}`);
  });

  it("keeps the COPY --from of an image that two builds make", () => {
    const { images } = read({
      "a/Dockerfile": "FROM debian:12\n",
      "b/Dockerfile": "FROM debian:11\n",
      "c/Dockerfile": "FROM debian:12\nCOPY --from=acme/tools:1 /x /x\n",
      Makefile: "all:\n\tdocker build -t acme/tools:1 a\n\tdocker build -t acme/tools:1 b\n",
    });
    assert.deepEqual(
      images.find(({ id }) => id === "c/Dockerfile")?.reads.map(({ to }) => to),
      [{ kind: "image", id: "a/Dockerfile" }],
    );
  });
});

describe("adopt: hostile trees", function () {
  this.timeout(60_000);

  it("spells control characters out", () => {
    const adoption = read({ "a\u001b[2J/Dockerfile": "FROM x\u001b]0;y\u0007:1\n" });
    for (const text of [
      lineageTree(adoption),
      findingsText(adoption.findings),
      lineageDot(adoption),
      lineageMermaid(adoption),
    ])
      assert.doesNotMatch(text.replaceAll("\n", ""), /\p{Cc}/u);
  });

  it("never throws, whatever the files hold", () => {
    const path = fc.constantFrom(
      "Dockerfile",
      "x.sh",
      "Makefile",
      "compose.yml",
      "docker-bake.hcl",
      "docker-bake.json",
      ".github/workflows/a.yml",
      ".gitlab-ci.yml",
      "values.yaml",
      "k.yaml",
      ".env",
    );
    const bits = fc.constantFrom(
      ...'FROM a|RUN |ARG X|ENV A=1|\n|\n\t|  |: |- |services:|a:|image: b:1|build: .|${{ matrix.x }}|jobs:|steps:|run: |docker build -t a .|$(|)|${|}|target "a" {|tags = [|"|\'|<<: *a|&a |*a|[|]|{|,|=|$@|containers:|script: |"a\\ndocker build ."|extends: a|!reference [a, script]|include: k.yaml|parallel: {matrix: [{X: [a, b]}]}|\\'.split(
        "|",
      ),
    );
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.array(bits, { maxLength: 30 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(fc.dictionary(path, text, { maxKeys: 4 }), (files) => {
        const adoption = read(files);
        for (const { where } of adoption.findings) {
          const lines = (files[where?.file ?? ""] ?? "").split("\n").length;
          assert.ok(
            (where?.line ?? 1) >= 1 && (where?.line ?? 1) <= Math.max(1, lines),
            JSON.stringify([where, files]),
          );
        }
        lineageTree(adoption);
        adoptionJson(adoption);
      }),
      { numRuns: 300 },
    );
  });

  it("survives files nested without end", () => {
    const deep = 20_000;
    const adoption = read({
      Dockerfile: `FROM ${"${a:-".repeat(deep)}x${"}".repeat(deep)}\nRUN ${"$(".repeat(deep)}\n`,
      "a.sh": `docker build -t ${"$(".repeat(deep)} .\n${"if a; then ".repeat(deep)}`,
      "compose.yml": `services: ${"[".repeat(deep)}`,
      "docker-bake.hcl": `a = ${"[".repeat(deep)}\nb = ${'"${'.repeat(deep)}`,
      Makefile: `A = $(A)\nx:\n\tdocker build -t ${"$(".repeat(deep)}A .\n`,
    });
    assert.equal(adoption.images.length, 1);
  });

  it("comes to an end on files made of one piece", () => {
    const pieces: Record<string, readonly string[]> = {
      "a.sh": [
        "for ",
        "for a in x; do ",
        "$(",
        "${a:-",
        '"$(',
        "f() { ",
        "docker build -t $x . ",
        "x=($x $x)\n",
        "`",
        "<<E ",
        "((",
      ],
      Makefile: ["A=$(A)$(B)\n", "$(A", "a:\n\tdocker $(X)\n", "\\\n"],
      "compose.yml": ["a: &a [*a,*a]\n", "- ", "[", "{a: ", "? ", "a: |\n", "<<: *a\n", "x: &x {<<: [*x,*x,*x]}\n"],
      ".github/workflows/a.yml": ["${{", "${{ a }}"],
      "docker-bake.hcl": ["a = [", "a = {", '"${', 'x = "${y}${y}"\n', "<<", "a(b(", "/*"],
      "k.yaml": ["image: {{{{", "containers:\n- image: b\n"],
      Dockerfile: [
        "FROM a AS b\n",
        "ENV a=$a$a\n",
        'RUN "$(',
        "RUN <<E\n",
        "LABEL size=size",
        "-gencode ",
        "# escape=`\n",
      ],
    };
    for (const [path, all] of Object.entries(pieces))
      for (const piece of all) {
        const text = `FROM docker:1 containers: image:\n${piece.repeat(50_000 / piece.length)}`;
        assert.ok(read({ [path]: text }).dockerfiles <= 1, `${path} of ${piece}`);
      }
  });

  it("bounds values that hold each other twice", () => {
    const doubled = (line: (n: number) => string) => Array.from({ length: 60 }, (_, n) => line(n + 1)).join("\n");
    const adoption = read({
      Dockerfile: `FROM a:1\nENV V0=xxxxxxxx\n${doubled((n) => `ENV V${n}=$V${n - 1}$V${n - 1}`)}\nEXPOSE $V60\nUSER $V60\n`,
      "a.sh": `V=xxxxxxxx\n${doubled(() => "V=$V$V")}\ndocker build -t "$V" $V .\n`,
      "b.sh": `V=(a b)\n${doubled(() => 'V=("${V[@]}" "${V[@]}")')}\ndocker build "\${V[@]}" .\n`,
      "c.sh": `${"for i in a b c d e f g h; do ".repeat(20)} docker build -t $i .; ${"done; ".repeat(20)}`,
      "d.sh": `f() { ${"f; ".repeat(500)} docker build .; }\nf\n`,
      Makefile: `V0 = x\n${doubled((n) => `V${n} = $(V${n - 1})$(V${n - 1})`)}\nall:\n\tdocker build -t $(V60) .\n`,
      ".env": `V0=xxxxxxxx\n${doubled((n) => `V${n}=$V${n - 1}$V${n - 1}`)}\n`,
      "compose.yml": "services:\n  a: { build: ., image: '${V60}${V60}' }\n",
      "docker-bake.hcl": `variable "V0" { default = "x" }\n${doubled((n) => `variable "V${n}" { default = "\${V${n - 1}}\${V${n - 1}}" }`)}\ntarget "t" { tags = [V60] }\n`,
      ".github/workflows/a.yml": `env:\n  V0: xxxxxxxx\n${doubled((n) => `  V${n}: \${{ env.V${n - 1} }}\${{ env.V${n - 1} }}`)}\njobs: { a: { steps: [{ run: 'docker build -t \${{ env.V60 }} .' }] } }\n`,
    });
    assert.equal(adoption.dockerfiles, 1);
    assert.ok(adoptionJson(adoption).length < 5_000_000);
  });

  it("draws and checks a lineage of a thousand generations", () => {
    const files = Object.fromEntries(
      Array.from({ length: 1000 }, (_, n) => [`i${n}/Dockerfile`, `FROM ${n === 0 ? "debian:12" : `r/i${n - 1}:1`}\n`]),
    );
    const adoption = read({ ...files, "b.sh": "for i in i*; do docker build -t r/$i:1 $i; done" });
    assert.equal(lineageTree(adoption).split("\n").length, 1001);
  });

  it("refuses a Dockerfile that nobody wrote", () => {
    const found = read({
      "a/Dockerfile": "FROM a:1\n".repeat(501),
      "b/Dockerfile": `FROM a:1\n${"RUN x\n".repeat(10_000)}`,
    }).findings;
    assert.deepEqual(
      found.map(({ rule, subject }) => [rule, subject]),
      [
        ["adopt/unreadable", "a/Dockerfile"],
        ["adopt/unreadable", "b/Dockerfile"],
      ],
    );
  });

  it("bounds what aliases and matrices multiply", () => {
    const bomb = [
      "a0: &a0 {image: 'x:1'}",
      ...Array.from({ length: 20 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}, *a${i}]`),
    ].join("\n");
    assert.ok(parse("a: 1"));
    const matrix = `jobs:\n  a:\n    strategy: { matrix: { ${"abcdef"
      .split("")
      .map((x) => `${x}: [1,2,3,4,5,6,7,8]`)
      .join(", ")} } }\n    steps: [{ run: docker build -t x . }]\n`;
    const adoption = read({ "values.yaml": bomb, ".github/workflows/a.yml": matrix });
    assert.ok(adoption.builds <= 64);
  });
});
