import assert from "node:assert/strict";
import { adopt } from "../../../core/adopt.ts";

/** Findings of some rules on a small tree: rule, file and line. */
function findings(files: Record<string, string>, rules: RegExp, machines?: readonly string[]) {
  const input = { root: "tree", files: Object.entries(files).map(([path, text]) => ({ path, text })), unreadable: [] };
  return adopt({ ...input, ...(machines === undefined ? {} : { machines }) }).findings.filter(({ rule }) =>
    rules.test(rule),
  );
}

const places = (files: Record<string, string>, rules: RegExp, machines?: readonly string[]) =>
  findings(files, rules, machines).map(
    ({ rule, severity, where }) => `${severity} ${rule.slice(6)} ${where?.file}:${where?.line}`,
  );

type Table = readonly (readonly [string, Record<string, string>, readonly string[]])[];

function holds(rules: RegExp, table: Table): void {
  for (const [name, files, expected] of table) it(name, () => assert.deepEqual(places(files, rules), expected));
}

describe("adopt: arguments that a Dockerfile ignores", () => {
  holds(/argument/, [
    [
      "a base that a literal FROM ignores",
      { "b.sh": "docker build --build-arg BASE_IMAGE=r/x:2 .", Dockerfile: "FROM r/x:1\n" },
      ["error from-ignores-argument Dockerfile:1"],
    ],
    [
      "names that no Dockerfile can declare",
      { "b.sh": "docker build --build-arg 'A(=1' --build-arg '[=r/x:2' .", Dockerfile: "FROM r/x:1\n" },
      [],
    ],
    [
      "declared before FROM and not used",
      { "b.sh": "docker build --build-arg BASE=r/x:2 .", Dockerfile: "ARG BASE\nFROM r/x:1\n" },
      ["error from-ignores-argument Dockerfile:2"],
    ],
    [
      "declared too late",
      { "b.sh": "docker build --build-arg BASE=r/x:2 .", Dockerfile: "FROM r/x:1\nARG BASE\n" },
      ["error from-ignores-argument Dockerfile:1"],
    ],
    [
      "the FROM of the same repository is the one that is meant",
      { "b.sh": "docker build --build-arg BASE=r/x:2 .", Dockerfile: "FROM r/x:1 AS a\nFROM r/y\n" },
      ["error from-ignores-argument Dockerfile:1"],
    ],
    ["taken", { "b.sh": "docker build --build-arg BASE=r/x:2 .", Dockerfile: "ARG BASE\nFROM ${BASE}\n" }, []],
    [
      "taken by way of another argument",
      { "b.sh": "docker build --build-arg REGISTRY=r .", Dockerfile: "ARG REGISTRY\nARG B=$REGISTRY/x\nFROM $B\n" },
      [],
    ],
    [
      "used by the stage",
      { "b.sh": "docker build --build-arg IMAGE_TAG=1 .", Dockerfile: "FROM a:1\nARG IMAGE_TAG\nLABEL v=$IMAGE_TAG\n" },
      [],
    ],
    [
      "an ordinary argument that nothing declares",
      { "b.sh": "docker build --build-arg COLOUR=1 .", Dockerfile: "FROM a:1\n" },
      ["warning undeclared-argument b.sh:1"],
    ],
    [
      "arguments that every build has",
      { "b.sh": "docker build --build-arg HTTP_PROXY=x --build-arg SOURCE_DATE_EPOCH=0 .", Dockerfile: "FROM a:1\n" },
      [],
    ],
    [
      "arguments that a matrix shares",
      {
        "b.sh": "for i in a b; do docker build --build-arg X=1 $i; done",
        "a/Dockerfile": "FROM a:1\nARG X\n",
        "b/Dockerfile": "FROM a:1\n",
      },
      [],
    ],
    [
      "a loop that others take it from, and a FROM of the same repository that does not",
      {
        "b.sh": "for i in a b; do docker build --build-arg BASE=r/x:2 $i; done",
        "a/Dockerfile": "ARG BASE\nFROM $BASE\n",
        "b/Dockerfile": "FROM r/x:1\n",
      },
      ["error from-ignores-argument b/Dockerfile:1"],
    ],
    [
      "an unknown Dockerfile is nobody's",
      { "b.sh": 'docker build --build-arg X=1 -f "$F" .', "a/Dockerfile": "FROM a:1\n", "b/Dockerfile": "FROM a:1\n" },
      [],
    ],
  ]);
});

describe("adopt: tags", () => {
  holds(/twice|tag-not|same-docker/, [
    [
      "one tag from two Dockerfiles",
      {
        "b.sh": "docker build -t r/a:1 x\ndocker build -t r/a:1 y",
        "x/Dockerfile": "FROM a:1\n",
        "y/Dockerfile": "FROM b:1\n",
      },
      ["warning image-defined-twice b.sh:1"],
    ],
    [
      "both pushed",
      {
        "b.sh": "docker buildx build --push -t r/a:1 x\ndocker buildx build --push -t r/a:1 y",
        "x/Dockerfile": "FROM a:1\n",
        "y/Dockerfile": "FROM b:1\n",
      },
      ["error image-defined-twice b.sh:1"],
    ],
    [
      "one tag, two targets",
      { "b.sh": "docker build --target p -t a:1 .\ndocker build -t a:1 .", Dockerfile: "FROM a:1 AS p\nFROM b:1\n" },
      ["warning image-defined-twice b.sh:2"],
    ],
    [
      "two tags",
      {
        "b.sh": "docker build -t r/a:1 x\ndocker build -t r/a:2 y",
        "x/Dockerfile": "FROM a:1\n",
        "y/Dockerfile": "FROM b:1\n",
      },
      [],
    ],
    [
      "the same text twice",
      { "x/Dockerfile": "FROM a:1\n# note\nRUN b\n", "y/Dockerfile": "FROM a:1\nRUN b\n" },
      ["info same-dockerfile x/Dockerfile:1"],
    ],
    [
      "a tag that nothing builds, in a chart",
      {
        "b.sh": "docker buildx build --push -t r.io/a:1 .",
        Dockerfile: "FROM a:1\n",
        "values.yaml": "image: r.io/a:2\n",
      },
      ["warning tag-not-built values.yaml:1"],
    ],
    [
      "a tag that nothing builds, in a FROM",
      { "b.sh": "docker build -t r.io/a:1 .", Dockerfile: "FROM a:1\n", "b/Dockerfile": "FROM r.io/a:2\n" },
      ["warning tag-not-built b/Dockerfile:1"],
    ],
    [
      "built and not pushed",
      { "b.sh": "docker build -t r.io/a:1 .", Dockerfile: "FROM a:1\n", "values.yaml": "image: r.io/a:1\n" },
      ["warning tag-not-pushed values.yaml:1"],
    ],
    [
      "pushed by a command of its own",
      {
        "b.sh": "docker build -t r.io/a:1 .\ndocker push r.io/a:1",
        Dockerfile: "FROM a:1\n",
        "values.yaml": "image: r.io/a:1\n",
      },
      [],
    ],
    [
      "loaded into a cluster",
      {
        "b.sh": "docker build -t a:1 .\nminikube image load a:1",
        Dockerfile: "FROM a:1\n",
        "values.yaml": "image: a:1\n",
      },
      [],
    ],
    [
      "given by docker tag",
      {
        "b.sh": "docker build -t a:1 .\ndocker tag a:1 r.io/a:2\ndocker push r.io/a:2",
        Dockerfile: "FROM a:1\n",
        "values.yaml": "image: r.io/a:2\n",
      },
      [],
    ],
    [
      "versions that only the build knows",
      {
        "b.sh": 'docker buildx build --push -t "r.io/a:$V" .',
        Dockerfile: "FROM a:1\n",
        "values.yaml": "image: r.io/a:7\n",
      },
      [],
    ],
    ["images from elsewhere", { "values.yaml": "image: r.io/other:2\n", Dockerfile: "FROM a:1\n" }, []],
    [
      "tags that an action or a workflow elsewhere makes",
      {
        ".github/workflows/a.yml":
          "jobs:\n  a: { uses: x/y/.github/workflows/b.yml@v1, with: { meta-images: r.io/t/a } }\n  b: { steps: [{ uses: docker/metadata-action@v5, with: { images: r.io/t/b } }] }\n",
        "b.sh": "docker build -t r.io/t/a:dev .\ndocker build -t r.io/t/b:dev .",
        Dockerfile: "FROM a:1\n",
        "values.yaml": "x: { image: r.io/t/a:3 }\ny: { image: r.io/t/b:3 }\n",
      },
      [],
    ],
    [
      "compose builds what it runs",
      { "compose.yml": "services:\n  a: { build: ., image: r.io/a:1 }\n", Dockerfile: "FROM a:1\n" },
      [],
    ],
  ]);
  holds(
    /latest|moving/,
    [
      [
        "latest, by name and by silence",
        { Dockerfile: "FROM a:latest AS x\nFROM b\nCOPY --from=c:latest / /\nCOPY --from=x / /\n" },
        ["warning latest Dockerfile:1", "warning latest Dockerfile:2", "warning latest Dockerfile:3"],
      ],
      [
        "moving tags",
        {
          Dockerfile:
            "FROM node:lts-slim AS x\nFROM x:edge\nCOPY --from=y:1-nightly / /\nCOPY --from=golang:alpine / /\n",
        },
        [
          "warning moving-tag Dockerfile:1",
          "warning moving-tag Dockerfile:2",
          "warning moving-tag Dockerfile:3",
          "warning moving-tag Dockerfile:4",
        ],
      ],
      [
        "versions, code names, digests, scratch, images of the tree",
        {
          "b.sh": "docker build -t t/base:latest base",
          "base/Dockerfile": "FROM debian:bookworm-slim\n",
          Dockerfile: `FROM node:24 AS x\nFROM y:latest@sha256:${"0".repeat(64)} AS y\nFROM t/base\nCOPY --from=x / /\nCOPY --from=y / /\n`,
          "s/Dockerfile": "FROM scratch\n",
        },
        [],
      ],
      [
        "what a script builds and runs itself, what skaffold tags",
        {
          "b.sh": "docker build -t mine .\ndocker run mine\n",
          "skaffold.yaml": "apiVersion: skaffold/v3\nbuild: { artifacts: [{ image: app }, { image: lib, jib: {} }] }\n",
          "k/d.yaml": "containers:\n  - image: app\n  - image: lib\n  - image: ko://x/y\n",
          Dockerfile: "FROM a:1\n",
        },
        [],
      ],
      [
        "a stage that nothing builds",
        { Dockerfile: "FROM a:latest AS old\nFROM b:1\n" },
        ["warning latest Dockerfile:1"],
      ],
      [
        "what is deployed",
        {
          "compose.yml": "services:\n  a: { image: redis }\n",
          "k/d.yaml": "containers:\n  - image: x:main\n",
          "run.sh": "docker run y",
        },
        ["warning latest compose.yml:2", "warning moving-tag k/d.yaml:2", "info latest run.sh:1"],
      ],
    ].map(([name, files, expected]) => [name, files, expected] as Table[number]),
  );
  holds(/unset-from/, [
    ["a FROM that nothing sets", { Dockerfile: "ARG B\nFROM $B\n" }, ["info unset-from Dockerfile:2"]],
    [
      "a FROM that a build does not set",
      { "b.sh": "docker build .", Dockerfile: "ARG B\nFROM $B\n" },
      ["warning unset-from Dockerfile:2"],
    ],
    [
      "a FROM that a build sets from its environment",
      { "b.sh": "docker build --build-arg B .", Dockerfile: "ARG B\nFROM $B\n" },
      [],
    ],
  ]);
});

describe("adopt: downloads", () => {
  const run = (command: string) => ({ Dockerfile: `FROM a:1\nRUN ${command}\n` });
  const bad = ["error insecure-download Dockerfile:2"];
  holds(/insecure/, [
    ["curl -k", run("curl -k https://x"), bad],
    ["curl in a cluster of flags", run("true && sudo curl -fsSLko /x https://x"), bad],
    ["curl --insecure behind a pipe", run("curl --insecure https://x | sh"), bad],
    ["curl with -o, whose value begins with k", run("curl -okey https://x"), []],
    ["curl of a file named -k in quotes of another command", run("echo curl -k"), []],
    ["wget", run("wget --no-check-certificate https://x"), bad],
    [
      "pip, git, npm, apt, apk",
      {
        Dockerfile:
          "FROM a:1\nRUN pip install --trusted-host x y && \\\n git -c http.sslVerify=false clone z && \\\n npm config set strict-ssl false && \\\n apt-get install --allow-unauthenticated w && \\\n apk add --allow-untrusted v\n",
      },
      [2, 3, 4, 5, 6].map((line) => `error insecure-download Dockerfile:${line}`),
    ],
    [
      "in a here-document",
      { Dockerfile: "FROM a:1\nRUN <<EOF\nset -e\ncurl -k https://x\nEOF\n" },
      ["error insecure-download Dockerfile:4"],
    ],
    ["in an exec form", { Dockerfile: 'FROM a:1\nRUN ["curl", "-k", "https://x"]\n' }, bad],
    ["as a trigger", { Dockerfile: "FROM a:1\nONBUILD RUN curl -k https://x\n" }, bad],
    ["as a variable", { Dockerfile: 'FROM a:1\nENV NODE_TLS_REJECT_UNAUTHORIZED="0" A=1\n' }, bad],
    ["packages named so", run("apt-get install curl wget && curl https://x"), []],
  ]);
});

describe("adopt: one architecture", () => {
  const multi = { "b.sh": "docker buildx build --platform linux/amd64,linux/arm64 ." };
  const url = "https://x/t-amd64.tgz";
  holds(/one-arch/, [
    ["a download", { ...multi, Dockerfile: `FROM a:1\nRUN curl ${url}\n` }, ["error one-architecture Dockerfile:2"]],
    [
      "an ADD, an ENV and an ARG",
      { ...multi, Dockerfile: `FROM a:1\nADD ${url} /\nENV U=${url}\nARG V=${url}\n` },
      [2, 3, 4].map((line) => `error one-architecture Dockerfile:${line}`),
    ],
    ["a FROM", { ...multi, Dockerfile: "FROM --platform=linux/amd64 a:1\n" }, ["error one-architecture Dockerfile:1"]],
    [
      "the builder's own platform",
      { ...multi, Dockerfile: `FROM --platform=$BUILDPLATFORM a:1 AS b\nRUN curl ${url}\nFROM a:1\n` },
      [],
    ],
    [
      "chosen by the platform",
      {
        ...multi,
        Dockerfile:
          "FROM a:1\nARG TARGETARCH\nRUN curl https://x/t-$TARGETARCH.tgz\nRUN if [ $(uname -m) = x86_64 ]; then curl https://x/t-x64; fi\nRUN case $A in amd64) curl https://x/amd64;; arm64) curl https://x/arm64;; esac\n",
      },
      [],
    ],
    ["an image for one platform", { "b.sh": "docker build .", Dockerfile: `FROM a:1\nRUN curl ${url}\n` }, []],
    [
      "an image that minds platforms elsewhere",
      { Dockerfile: `FROM a:1\nARG TARGETARCH\nRUN curl ${url}\n` },
      ["warning one-architecture Dockerfile:3"],
    ],
    [
      "a stage for each architecture",
      {
        ...multi,
        Dockerfile: `FROM --platform=linux/amd64 a:1 AS base-amd64\nRUN curl ${url}\nFROM --platform=linux/arm64 a:1 AS jet\nFROM jet AS base-arm64\nRUN curl https://x/t-aarch64\nARG TARGETARCH\nFROM base-\${TARGETARCH}\nRUN b\n`,
      },
      [],
    ],
    [
      "a download that follows the stages",
      {
        ...multi,
        Dockerfile: `FROM --platform=linux/amd64 a:1 AS base-amd64\nFROM a:1 AS base-arm64\nFROM base-\${TARGETARCH} AS b\nFROM a:1\nRUN curl ${url}\n`,
      },
      ["error one-architecture Dockerfile:5"],
    ],
    [
      "a host's name tells nothing",
      { ...multi, Dockerfile: "FROM a:1\nRUN curl https://amd64.example.com/t.tgz\n" },
      [],
    ],
  ]);
});

describe("adopt: secrets", () => {
  holds(/secret/, [
    ["an ENV with a value", { Dockerfile: "FROM a:1\nENV DB_PASSWORD=hunter2\n" }, ["error secret Dockerfile:2"]],
    ["an ARG with a default", { Dockerfile: "FROM a:1\nARG API_KEY='abc'\n" }, ["error secret Dockerfile:2"]],
    ["an ARG without one", { Dockerfile: "FROM a:1\nARG NPM_TOKEN\n" }, ["warning secret Dockerfile:2"]],
    [
      "an argument kept in the image",
      { Dockerfile: "FROM a:1\nARG NPM_TOKEN\nENV NPM_TOKEN=${NPM_TOKEN}\n" },
      ["error secret Dockerfile:3", "warning secret Dockerfile:2"],
    ],
    [
      "a token by its form",
      { Dockerfile: `FROM a:1\nRUN git clone https://ghp_${"a".repeat(36)}@x\n` },
      ["error secret Dockerfile:2"],
    ],
    [
      "where a secret is, and other tokens",
      {
        Dockerfile:
          "FROM a:1\nENV DB_PASSWORD_FILE=/run/x SECRET_NAME=y TOKENIZERS_PARALLELISM=false PUBLIC_KEY=z API_TOKEN=\nARG GPG_KEY=1\n",
      },
      [],
    ],
  ]);
  it("never shows the secret", () => {
    const found = findings({ Dockerfile: "FROM a:1\nENV DB_PASSWORD=hunter2\nARG API_KEY=qwertz\n" }, /secret/);
    assert.equal(found.length, 2);
    assert.doesNotMatch(JSON.stringify(found), /hunter2|qwertz/);
  });
});

describe("adopt: users", () => {
  holds(/root/, [
    ["root at the end", { Dockerfile: "FROM a:1\nUSER app\nUSER root\n" }, ["warning root Dockerfile:3"]],
    ["root by number, with a group", { Dockerfile: "FROM a:1\nUSER 0:5\n" }, ["warning root Dockerfile:2"]],
    ["no user at all", { Dockerfile: "FROM a:1\n" }, ["warning root Dockerfile:1"]],
    ["scratch", { Dockerfile: "FROM scratch\n" }, ["warning root Dockerfile:1"]],
    ["a user of an earlier stage", { Dockerfile: "FROM a:1 AS b\nUSER app\nFROM b\n" }, []],
    ["a user of another stage", { Dockerfile: "FROM a:1 AS b\nUSER app\nFROM a:1\n" }, ["warning root Dockerfile:3"]],
    [
      "a user of the base, which itself is only a base",
      {
        "b.sh": "docker build -t t/base:1 base",
        "base/Dockerfile": "FROM a:1\n",
        Dockerfile: "FROM t/base:1\nUSER 5\n",
      },
      ["info root base/Dockerfile:1"],
    ],
    [
      "a user of the base",
      {
        "b.sh": "docker build -t t/base:1 base",
        "base/Dockerfile": "FROM a:1\nUSER 5\n",
        Dockerfile: "FROM t/base:1\n",
      },
      [],
    ],
    ["a base of strangers, who may set a user", { Dockerfile: "FROM quay.io/x/y:1\n" }, []],
    ["Windows, which has no root", { Dockerfile: "FROM mcr.microsoft.com/windows/servercore:ltsc2025\n" }, []],
    ["an official image that sets one", { Dockerfile: "FROM solr:9\n" }, []],
    ["bases that run as someone", { Dockerfile: "FROM gcr.io/distroless/static:nonroot\n" }, []],
    ["a base that only the build knows", { Dockerfile: "ARG B\nFROM $B\n" }, []],
    ["a user by argument", { Dockerfile: "FROM a:1\nARG U=root\nUSER $U\n" }, ["warning root Dockerfile:3"]],
  ]);
});

describe("adopt: GPU architectures", () => {
  const machines = ["rtx-4090", "rtx-3060", "none"];
  const table: [string, string, string[]][] = [
    ["what the machines have", "ENV TORCH_CUDA_ARCH_LIST='8.6;8.9+PTX'", []],
    ["older code of the same major version runs", "ENV TORCH_CUDA_ARCH_LIST=8.0", []],
    ["one too many", 'ENV TORCH_CUDA_ARCH_LIST="7.5 8.6"', ["warning gpu-architecture Dockerfile:2"]],
    ["none that runs", "ARG CMAKE_CUDA_ARCHITECTURES=90", ["error gpu-architecture Dockerfile:2"]],
    ["cmake's flag", "RUN x \\\n cmake -DCMAKE_CUDA_ARCHITECTURES='70;86'", ["warning gpu-architecture Dockerfile:3"]],
    [
      "nvcc's flags",
      "RUN nvcc -gencode arch=compute_70,code=sm_70 -gencode arch=compute_89,code=sm_89 x.cu",
      ["warning gpu-architecture Dockerfile:2"],
    ],
    [
      "a variable of one command",
      'RUN TORCH_CUDA_ARCH_LIST="6.1" pip install .',
      ["error gpu-architecture Dockerfile:2"],
    ],
    ["old PTX runs on all", "ENV TORCH_CUDA_ARCH_LIST=7.0+PTX", []],
    ["what a build decides", "ENV TORCH_CUDA_ARCH_LIST=$ARCHS", []],
    ["what cannot be read", "ENV TORCH_CUDA_ARCH_LIST=fast", ["warning gpu-architecture Dockerfile:2"]],
  ];
  for (const [name, line, expected] of table)
    it(name, () => assert.deepEqual(places({ Dockerfile: `FROM a:1\n${line}\n` }, /gpu/, machines), expected));
  it("reads what builds pass", () => {
    const files = {
      "b.sh": "docker build --build-arg TORCH_CUDA_ARCH_LIST=5.0 .",
      Dockerfile: "FROM a:1\nARG TORCH_CUDA_ARCH_LIST\n",
    };
    assert.deepEqual(places(files, /gpu/, machines), ["error gpu-architecture b.sh:1"]);
  });
});

describe("adopt: ports and sizes", () => {
  holds(/port|size/, [
    [
      "HEALTHCHECK, PORT and compose against EXPOSE",
      {
        "compose.yml": 'services:\n  a:\n    build: .\n    ports: ["80:8000", "81:9000"]\n',
        Dockerfile: "FROM a:1\nENV PORT=3000\nEXPOSE 8000/tcp 53/udp\nHEALTHCHECK CMD curl localhost:8080/x\n",
      },
      ["Dockerfile:2", "Dockerfile:4", "compose.yml:4"].map((place) => `warning port-disagrees ${place}`),
    ],
    [
      "a port of the base",
      {
        "b.sh": "docker build -t t/base:1 base\ndocker run -p 1:80 t/app:1\ndocker build -t t/app:1 .",
        "base/Dockerfile": "FROM a:1\nEXPOSE 80\n",
        Dockerfile: "FROM t/base:1\n",
      },
      [],
    ],
    [
      "a port by argument, a range",
      {
        Dockerfile: "FROM a:1\nARG P=80\nENV PORT=80\nEXPOSE $P\n",
        "b/Dockerfile": "FROM a:1\nENV PORT=80\nEXPOSE 8000-9000\n",
      },
      [],
    ],
    [
      "those who run it, among each other",
      {
        "b.sh": "docker build -t t/a:1 .",
        Dockerfile: "FROM a:1\n",
        "compose.yml": 'services:\n  a: { image: "t/a:1", ports: ["1:80"] }\n',
        "values.yaml": "x:\n  image: t/a:1\n  targetPort: 81\n",
      },
      ["info port-disagrees values.yaml:3"],
    ],
    [
      "memory and shared memory",
      {
        "b.sh": "docker build -t t/a:1 .\ndocker run -m 1g --shm-size 1g t/a:1",
        Dockerfile: "FROM a:1\n",
        "compose.yml": 'services:\n  a: { image: "t/a:1", mem_limit: 2g, shm_size: 1024m }\n',
      },
      ["info size-disagrees compose.yml:2"],
    ],
    [
      "what is said of the image's size",
      {
        Dockerfile: '# final image size: about 800 MB\nFROM a:1\nLABEL image.size="900MB"\n# the wheel is 2 GB\n',
        "b.sh": "docker build .\nMAX_MB=800\n",
      },
      ["info size-disagrees Dockerfile:3"],
    ],
  ]);
});

describe("adopt: files", () => {
  holds(/no-dockerfile|not-read|template|circle|dockerfile\//, [
    ["a Dockerfile that is not there", { "b.sh": "docker build -f x/D ." }, ["warning no-dockerfile b.sh:1"]],
    [
      "one whose path nobody knows",
      { "b.sh": 'docker build -f "$X" .\ncd sub; docker build .\ndocker build -f "$TMP/x.Dockerfile" .' },
      [],
    ],
    [
      "templates by name and by content",
      { "Dockerfile.j2": "FROM x", Dockerfile: "FROM a:1\n{% if x %}\nRUN a\n" },
      ["info template Dockerfile:1", "info template Dockerfile.j2:1"],
    ],
    ["a Go template for docker is none", { Dockerfile: "FROM a:1\nRUN docker inspect -f '{{.Id}}' x\n" }, []],
    [
      "images built from each other",
      {
        "b.sh": "docker build -t t/a:1 a\ndocker build -t t/b:1 b",
        "a/Dockerfile": "FROM t/b:1\n",
        "b/Dockerfile": "FROM t/a:1\n",
      },
      ["error circle a/Dockerfile:1"],
    ],
    ["an image built from itself", { "b.sh": "docker build -t t/a:1 .", Dockerfile: "FROM t/a:1\n" }, []],
  ]);
  it("tells what the builder refuses once a rule", () => {
    const found = findings({ Dockerfile: `FROM a:1\n${"NOPE x\n".repeat(50)}` }, /dockerfile\//);
    assert.deepEqual(
      found.map(({ rule, message }) => [rule, /and 49 more/.test(message)]),
      [["dockerfile/unknown-instruction", true]],
    );
  });
});
