import assert from "node:assert/strict";
import { parseDockerfile } from "../../core/dockerfile.ts";
import { GATES } from "../../gates/catalogue.ts";
import { commandsOf } from "../../gates/commands.ts";
import { judgeDockerfile } from "../../gates/dockerfiles.ts";
import { insecure } from "../../gates/insecure.ts";
import { pinned } from "../../gates/pinned.ts";
import { found } from "./subject.ts";

const subject = (text: string) => ({
  name: "app",
  dockerfile: parseDockerfile(`ARG BASE_IMAGE\nFROM \${BASE_IMAGE}\n${text}\n`),
});
const of = (gate: typeof pinned, text: string) =>
  found(gate, subject(text)).map((f) => f.replace(" app: takes", "").replace(" without saying which version", ""));

function words(run: string): string[][] {
  const [instruction] = subject(`RUN ${run}`).dockerfile.stages[0]?.instructions ?? [];
  assert.equal(instruction?.keyword, "RUN");
  return instruction.keyword === "RUN" ? commandsOf(instruction).map((c) => [...c.words]) : [];
}

describe("commandsOf", () => {
  const cases: [string, string[][]][] = [
    ['a b && c \'d e\' "f\\"g" || h', [["a", "b"], ["c", "d e", 'f\\"g'], ["h"]]],
    ["if true; then X=1 apt-get update; fi", [["true"], ["apt-get", "update"], ["fi"]]],
    ["a \\\n  b # c && d\n", [["a", "b"]]],
    ["(cd x; y) | sudo tee ${A:-b c} 2>&1 &", [["cd", "x"], ["y"], ["tee", "${A:-b c}", "2>&1"]]],
    ['["a", "b c"]', [["a", "b c"]]],
    ["<<EOF\na b\nc\nEOF", [["<<EOF"], ["a", "b"], ["c"]]],
    ["'open", [["open"]]],
  ];
  for (const [run, expected] of cases) it(JSON.stringify(run), () => assert.deepEqual(words(run), expected));
});

describe("the pinned gate", () => {
  const cases: [string, string[]][] = [
    [
      "RUN apt-get update && apt-get install -y --no-install-recommends curl=7.88 git locales \\\n && rm -rf /x",
      ["pinned/apt git, locales"],
    ],
    ["RUN apt-get install -y /packages/*.deb ./x.deb $PACKAGES", []],
    ["RUN apt install -y -o Dpkg::Use-Pty=0 -t bookworm-backports git=1:2", []],
    ["RUN apk add --no-cache --virtual .build gcc musl-dev=1.2.3-r0", ["pinned/apk gcc"]],
    ["RUN pip install --no-cache-dir torch==2.2.2 vllm 'numpy<2'", ["pinned/pip vllm, numpy<2"]],
    ["RUN python3 -m pip install -r requirements.txt", ["pinned/pip -r requirements.txt"]],
    ["RUN pip install --requirement=a.txt b==1", ["pinned/pip --requirement=a.txt"]],
    ["RUN curl -o /x https://example.com/latest/x", ["pinned/download https://example.com/latest/x"]],
    ["RUN curl -fsSL https://example.com/x | tar xz", ["pinned/download https://example.com/x"]],
    ["RUN wget https://example.com/x && gpgv x.sig x", []],
    ["RUN curl http://$HOST/x", ["pinned/download http://$HOST/x"]],
    ["RUN git clone --depth 1 https://example.com/x.git", ["pinned/git https://example.com/x.git"]],
    ["RUN git clone -b main https://example.com/x.git", ["pinned/git https://example.com/x.git"]],
    ["RUN git clone --branch v1.2.3 https://example.com/x.git", []],
    ["RUN git clone https://example.com/x.git && git -C x checkout 0123abc", []],
    ["RUN pip install --require-hashes -r requirements.txt extra", []],
    ["RUN npm ci", []],
    ["RUN npm install", ["pinned/npm whatever package.json allows"]],
    [
      "RUN npm install -g @anthropic-ai/claude-code typescript@5.4.0 zod@latest",
      ["pinned/npm @anthropic-ai/claude-code, zod@latest"],
    ],
    ["RUN npm install --save-exact @scope/x@1.2.3", []],
    ["RUN cargo install cargo-chef", ["pinned/cargo cargo-chef"]],
    ["RUN cargo install --locked cargo-chef@0.1.68", []],
    ["RUN go install example.com/x@latest", ["pinned/go example.com/x@latest"]],
    ["RUN curl -fsSL https://claude.ai/install.sh | bash", ["pinned/script https://claude.ai/install.sh"]],
    ["RUN curl -fsSLO https://example.com/x && echo x | sha256sum -c", []],
    ["ADD https://example.com/x.tgz /x", ["pinned/download https://example.com/x.tgz"]],
    [`ADD --checksum=sha256:${"0".repeat(64)} https://example.com/x.tgz /x`, []],
    ["COPY x /x", []],
    ["RUN echo apt-get install curl", []],
  ];
  for (const [text, expected] of cases) it(text.slice(0, 70), () => assert.deepEqual(of(pinned, text), expected));

  it("gives the line", () => {
    const [finding] = pinned.check(subject("ENV A=b\nRUN apt-get install curl"));
    assert.deepEqual(finding?.where, { file: "Dockerfile", line: 4 });
  });
});

describe("the insecure gate", () => {
  for (const text of [
    "RUN curl -fsSLk https://x",
    "RUN curl --insecure https://x",
    "RUN wget --no-check-certificate https://x",
    "RUN git -c http.sslVerify=false clone x",
    "RUN pip install --trusted-host x y",
    "RUN npm install --strict-ssl=false",
  ]) {
    it(text, () => assert.equal(insecure.check(subject(text)).length, 1));
  }
  for (const text of ["RUN curl -fsSL https://x -o k", "RUN tar -xkf x", "RUN echo --insecure"])
    it(`not ${text}`, () => assert.deepEqual(insecure.check(subject(text)), []));
});

describe("the list of gates", () => {
  it("names each gate of each kind once, with a severity and a line of text", () => {
    const keys = GATES.map((gate) => `${gate.on}/${gate.id}`);
    assert.equal(new Set(keys).size, keys.length);
    for (const gate of GATES) assert.match(gate.description, /^[^A-Z.].{15,140}[^.]$/, gate.id);
  });

  it("judges a Dockerfile under a stack's settings", () => {
    const given = subject("RUN apt-get install curl");
    assert.deepEqual(
      judgeDockerfile(given).map((f) => f.rule),
      ["pinned/apt"],
    );
    assert.deepEqual(judgeDockerfile(given, { severity: { pinned: "off" } }), []);
  });
});
