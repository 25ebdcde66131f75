import assert from "node:assert/strict";
import { collectFacts } from "../../../core/adopt/collect.ts";
import type { Build, Facts } from "../../../core/adopt/facts.ts";
import { fileKind } from "../../../core/adopt/kind.ts";

function facts(path: string, text: string, more: Record<string, string> = {}): Facts {
  return collectFacts(
    Object.entries({ ...more, [path]: text }).map(([p, t]) => {
      const kind = fileKind(p);
      assert.ok(kind, p);
      return { path: p, text: t, kind };
    }),
  );
}

const brief = (build: Build | undefined) =>
  build && {
    dockerfile: build.dockerfiles[0],
    tags: build.tags,
    ...(Object.keys(build.args).length > 0 ? { args: build.args } : {}),
    ...(build.platforms.length > 0 ? { platforms: build.platforms } : {}),
    ...(build.target === undefined ? {} : { target: build.target }),
    ...(build.pushes ? { pushes: true } : {}),
  };

describe("docker command lines", () => {
  const one = (line: string) => brief(facts("build.sh", line).builds[0]);
  it("reads builds in every spelling", () => {
    const table: [string, unknown][] = [
      ["docker build -t a:1 .", { dockerfile: "Dockerfile", tags: ["a:1"] }],
      ["docker build -ta:1 -q x/y/", { dockerfile: "x/y/Dockerfile", tags: ["a:1"] }],
      ["sudo docker image build --tag=a --tag b -f d/D.x .", { dockerfile: "d/D.x", tags: ["a", "b"] }],
      [
        "docker --context c buildx build --platform linux/amd64,linux/arm64 --push --target t --build-arg A=1 --build-arg B -t a:1 .",
        {
          dockerfile: "Dockerfile",
          tags: ["a:1"],
          args: { A: "1", B: undefined },
          platforms: ["linux/amd64", "linux/arm64"],
          target: "t",
          pushes: true,
        },
      ],
      ["podman build --layers -t a .", { dockerfile: "Dockerfile", tags: ["a"] }],
      ["buildah bud -f C -t a .", { dockerfile: "C", tags: ["a"] }],
      ["docker buildx build -o type=registry -t a .", { dockerfile: "Dockerfile", tags: ["a"], pushes: true }],
      ["DOCKER_BUILDKIT=1 time $DOCKER build -t a .", { dockerfile: "Dockerfile", tags: ["a"] }],
      [
        "/kaniko/executor --context=dir://app --dockerfile app/D --destination r/a:1",
        { dockerfile: "app/D", tags: ["r/a:1"], pushes: true },
      ],
      ["docker build -t a https://example.com/x.git", { dockerfile: undefined, tags: ["a"] }],
    ];
    for (const [line, expected] of table) assert.deepEqual(one(line), expected, line);
  });

  it("sees no build where docker is only spoken of", () => {
    for (const line of [
      "echo docker build -t a .",
      "# docker build .",
      "apt-get install docker build x",
      "docker buildx ls",
      "docker build -f - .",
    ])
      assert.deepEqual(facts("build.sh", line).builds, [], line);
  });

  it("reads pushes, tags, copies and loads", () => {
    const table: [string, string[]][] = [
      ["docker push a:1", ["a:1"]],
      ["docker push -a a", ["a:*"]],
      ["docker buildx imagetools create -t a:2 --tag a:3 a:1", ["a:2", "a:3"]],
      ["minikube image load a:1 b:2", ["a:1", "b:2"]],
      ["kind load docker-image a:1 --name x", ["a:1"]].slice(0, 2) as [string, string[]],
      ["crane copy a:1 b:1", ["b:1"]],
      ["crane tag r/a:1 2", ["r/a:2"]],
      ["skopeo copy docker://a:1 docker://b:1", ["b:1"]],
      ["docker compose -f x.yml push", ["*"]],
    ];
    for (const [line, expected] of table) {
      const found = facts("push.sh", line).pushes.map(({ ref }) => ref);
      assert.deepEqual(found.slice(0, expected.length), expected, line);
    }
    assert.deepEqual(
      facts("tag.sh", "docker tag a:1 r/a:2").retags.map(({ from, to }) => [from, to]),
      [["a:1", "r/a:2"]],
    );
  });

  it("reads what is run, with its ports and sizes", () => {
    const [use] = facts(
      "run.sh",
      "docker run -d --rm -it -p 80:8080 -p 127.0.0.1:9:9/tcp -v a:b -m 512m --shm-size=2g -e X=1 a:1 cmd -p 1:2",
    ).uses;
    assert.equal(use?.ref, "a:1");
    assert.deepEqual(
      use?.ports.map(({ port }) => port),
      [8080, 9],
    );
    assert.deepEqual(
      use?.sizes.map(({ what, bytes }) => [what, bytes]),
      [
        ["memory limit", 512 * 2 ** 20],
        ["shared memory", 2 * 2 ** 30],
      ],
    );
  });
});

describe("makefiles", () => {
  it("puts variables and automatic names in", () => {
    const text =
      "R ?= r.io\nT := $(R)/x\nT += y\nimg:\n\t@docker build \\\n\t  -t $(R)/$@:$(V) $(notdir a/$@)\n%.img:\n\tdocker build -t $*:1 $$PWD\nV = 1.0\n";
    const { builds } = facts("sub/Makefile", text);
    assert.deepEqual(builds.map(brief), [
      { dockerfile: "sub/img/Dockerfile", tags: ["r.io/img:1.0"] },
      { dockerfile: "sub/Dockerfile", tags: ["*:1"] },
    ]);
    assert.deepEqual(
      builds.map(({ line }) => line),
      [5, 8],
    );
  });
});

describe("compose files", () => {
  it("reads builds, images, ports, limits, merge keys and variables", () => {
    const text = [
      "x-b: &b",
      "  mem_limit: 1g",
      "services:",
      "  api:",
      "    <<: *b",
      "    build: { context: ./api, dockerfile: D, target: t, args: [A=1, B], additional_contexts: { c: ../c } }",
      "    image: ${REG:-r.io}/api:${TAG}",
      '    ports: ["80:8000", { target: 9000 }, "${P}:1"]',
      "    expose: [7]",
      "  db: { image: 'postgres:17', deploy: { resources: { limits: { memory: 512M } } }, shm_size: 64m }",
    ].join("\n");
    const { builds, uses } = facts("x/compose.yaml", text, { "x/.env": "TAG=5\n" });
    assert.deepEqual(brief(builds[0]), {
      dockerfile: "x/api/D",
      tags: ["r.io/api:5"],
      args: { A: "1", B: undefined },
      target: "t",
    });
    assert.deepEqual(builds[0]?.contexts, { c: "../c" });
    assert.deepEqual(
      uses.map((use) => [
        use.name,
        use.ref,
        use.ports.map(({ port }) => port),
        use.sizes.map(({ bytes }) => bytes),
        use.builtHere,
      ]),
      [
        ["api", "r.io/api:5", [8000, 9000, 1, 7], [2 ** 30], true],
        ["db", "postgres:17", [], [512 * 2 ** 20, 64 * 2 ** 20], false],
      ],
    );
    assert.deepEqual([builds[0]?.line, uses[0]?.line, uses[0]?.ports[0]?.line], [6, 7, 8]);
  });

  it("tells a syntax error and reads the rest", () => {
    const { unread, uses } = facts("compose.yml", "services:\n  a: { image: x:1 }\n  b: [\n");
    assert.equal(unread.length, 1);
    assert.match(unread[0]?.message ?? "", /^the file is no valid YAML/);
    assert.equal(uses[0]?.ref, "x:1");
  });
});

describe("bake files", () => {
  const hcl = `
variable "TAG" { default = "1" }
variable "EMPTY" {}
target "_base" {
  args = { A = "a", B = "b" }
  platforms = ["linux/amd64"]
}
target "app" {
  inherits = ["_base"]
  context = "app" // where
  args = { B = TAG }
  tags = ["r/app:\${TAG}", "r/app:\${EMPTY}", notequal("", TAG) ? "r/x" : "r/y"]
  contexts = { tools = "target:tools" }
  output = ["type=registry"]
}
target "tools" {
  matrix = { item = ["x", "y"] }
  name = "tools-\${item}"
  dockerfile = "\${item}.Dockerfile"
  target = "final"
}
`;
  it("reads targets with inheritance, variables and a matrix, and says what it did not evaluate", () => {
    const { builds, unread } = facts("docker-bake.hcl", hcl);
    assert.deepEqual(
      builds.map((build) => [build.name, brief(build)]),
      [
        [
          "app",
          {
            dockerfile: "app/Dockerfile",
            tags: ["r/app:1", "r/app:*", "*"],
            args: { A: "a", B: "1" },
            platforms: ["linux/amd64"],
            pushes: true,
          },
        ],
        ["tools-x", { dockerfile: "x.Dockerfile", tags: [], target: "final" }],
        ["tools-y", { dockerfile: "y.Dockerfile", tags: [], target: "final" }],
      ],
    );
    assert.deepEqual(builds[0]?.contexts, { tools: "target:tools" });
    assert.deepEqual(
      unread.map(({ line }) => line),
      [12],
    );
  });

  it("reads JSON alike", () => {
    const json = JSON.stringify({
      variable: { TAG: { default: "2" } },
      target: {
        b: { args: { A: "a" } },
        app: { inherits: ["b"], context: "app", tags: ["r/app:${TAG}"], args: { B: null } },
      },
    });
    const app = facts("docker-bake.json", json).builds.find(({ name }) => name === "app");
    assert.deepEqual(brief(app), { dockerfile: "app/Dockerfile", tags: ["r/app:2"], args: { A: "a", B: undefined } });
    assert.equal(facts("docker-bake.json", "{").unread.length, 1);
  });
});

describe("workflows", () => {
  it("reads steps, matrices, metadata, environments and shell", () => {
    const text = `
on:
  workflow_call:
    inputs: { channel: { default: edge } }
env: { REG: ghcr.io }
jobs:
  a:
    env: { NAME: "\${{ env.REG }}/team" }
    strategy:
      matrix:
        img: [x, y]
        include: [{ img: y, file: special }]
    steps:
      - id: meta
        uses: docker/metadata-action@v5
        with:
          images: \${{ env.NAME }}/\${{ matrix.img }}
          tags: |
            type=raw,value=\${{ inputs.channel }}
      - uses: docker/build-push-action@v6
        with:
          context: "{{defaultContext}}:\${{ matrix.img }}"
          file: \${{ matrix.file || 'Dockerfile' }}
          tags: \${{ steps.meta.outputs.tags }}
          push: \${{ github.event_name != 'pull_request' }}
          build-args: |
            A=1
            B=\${{ github.sha }}
  b:
    defaults: { run: { working-directory: sub } }
    steps:
      - run: |
          echo hi
          docker build -t $REG/z:1 .
`;
    const { builds } = facts(".github/workflows/ci.yml", text);
    assert.deepEqual(builds.map(brief), [
      { dockerfile: "Dockerfile", tags: ["ghcr.io/team/x:edge"], args: { A: "1", B: "*" }, pushes: true },
      { dockerfile: "special", tags: ["ghcr.io/team/y:edge"], args: { A: "1", B: "*" }, pushes: true },
      { dockerfile: "sub/Dockerfile", tags: ["ghcr.io/z:1"] },
    ]);
    assert.equal(builds[2]?.line, 34);
  });
});

describe("GitLab pipelines", () => {
  const text = `
stages: [build]
variables:
  REG: registry.example.com/team
  IMAGE: { value: "$REG/app", description: what is built }
default:
  before_script: [cd app]
.build:
  variables: { TARGET: run }
  script:
    - docker build --target $TARGET -t $IMAGE:1 .
    - |
      echo done
      docker push $IMAGE:1
app:
  extends: .build
  variables: { TARGET: serve }
kaniko:
  image: { name: gcr.io/kaniko-project/executor:debug, entrypoint: [""] }
  before_script: []
  script:
    - /kaniko/executor --context "$CI_PROJECT_DIR/web" --dockerfile "$CI_PROJECT_DIR/web/Dockerfile.prod"
      --destination "$CI_REGISTRY_IMAGE/web:$CI_COMMIT_SHORT_SHA"
each:
  parallel:
    matrix:
      - NAME: [x, y]
        ARCH: amd64
  before_script:
    - !reference [.build, script]
  script: docker buildx build --platform linux/$ARCH -t $REG/$NAME --push $NAME
`;

  it("reads scripts with variables, templates, references and a matrix, by line", () => {
    const { builds, pushes } = facts(".gitlab-ci.yml", text);
    assert.deepEqual(builds.map(brief), [
      { dockerfile: "app/Dockerfile", tags: ["registry.example.com/team/app:1"], target: "serve" },
      { dockerfile: "web/Dockerfile.prod", tags: ["*/web:*"], pushes: true },
      { dockerfile: "Dockerfile", tags: ["registry.example.com/team/app:1"], target: "*" },
      { dockerfile: "x/Dockerfile", tags: ["registry.example.com/team/x"], platforms: ["linux/amd64"], pushes: true },
      { dockerfile: "Dockerfile", tags: ["registry.example.com/team/app:1"], target: "*" },
      { dockerfile: "y/Dockerfile", tags: ["registry.example.com/team/y"], platforms: ["linux/amd64"], pushes: true },
    ]);
    assert.deepEqual(
      builds.slice(0, 2).map(({ file, line }) => [file, line]),
      [
        [".gitlab-ci.yml", 11],
        [".gitlab-ci.yml", 22],
      ],
    );
    assert.deepEqual([pushes[0]?.ref, pushes[0]?.line], ["registry.example.com/team/app:1", 14]);
  });

  it("takes files in from the tree, and reads them with the pipeline alone", () => {
    const { builds, unread } = facts(
      ".gitlab-ci.yml",
      "include:\n  - local: /ci/*.yml\n  - b.gitlab-ci.yml\n  - remote: https://example.com/x.yml\nvariables: { T: two }\n",
      {
        "ci/a.yml": "variables: { T: one }\njob:\n  script: docker build -t a:$T a\n",
        "ci/deep/no.yml": "no:\n  script: docker build -t no .\n",
        "b.gitlab-ci.yml": "include: .gitlab-ci.yml\nb:\n  script: [docker build -t b:$T b]\n",
      },
    );
    assert.deepEqual(
      builds.map((b) => [b.file, b.line, b.tags]),
      [
        ["ci/a.yml", 3, ["a:two"]],
        ["b.gitlab-ci.yml", 3, ["b:two"]],
      ],
    );
    assert.deepEqual(unread, []);
  });

  it("ends whatever the jobs extend and refer to", () => {
    const round = `
a: { extends: b, script: [!reference [a, script], docker build -t a .] }
b: { extends: [a, b], before_script: !reference [b, before_script], script: docker build -t b . }
c: { script: !reference [nobody, script] }
d: text
`;
    const { builds } = facts(".gitlab-ci.yml", round);
    assert.deepEqual([...new Set(builds.flatMap(({ tags }) => tags))], ["a", "b"]);
    assert.equal(facts(".gitlab-ci.yml", "a: [docker\n").unread.length, 1);
  });
});

describe("charts and manifests", () => {
  it("reads values with image, ports and limits", () => {
    const text =
      "web:\n  image: { registry: r.io, repository: web, tag: 1.10 }\n  service: { targetPort: 80 }\n  resources: { limits: { memory: 1Gi } }\nsidecarImage: r.io/side:2\nnot: { image: true }\n";
    assert.deepEqual(
      facts("chart/values.yaml", text).uses.map(({ ref, name, ports, sizes }) => [
        ref,
        name,
        ports.map(({ port }) => port),
        sizes.map(({ bytes }) => bytes),
      ]),
      [
        ["r.io/web:1.10", "web", [80], [2 ** 30]],
        ["r.io/side:2", "sidecarImage", [], []],
      ],
    );
  });

  it("reads manifests and templates by line", () => {
    const text =
      'spec:\n  containers:\n    - image: "{{ .Values.r }}/a:{{ .tag }}"\n      ports: [{ containerPort: 8080 }]\n    - name: b\n      image: b:1 # why\n      resources:\n        limits:\n          memory: 1G\n        requests:\n          memory: 2G\n';
    assert.deepEqual(
      facts("k8s/app.yaml", text).uses.map(({ ref, ports, sizes }) => [
        ref,
        ports.map(({ port }) => port),
        sizes.map(({ bytes }) => bytes),
      ]),
      [
        ["*/a:*", [8080], []],
        ["b:1", [], [1e9]],
      ],
    );
  });

  it("puts a chart's values into its templates", () => {
    const values = 'image:\n  repository: r.io/a\n  tag: ""\nservice:\n  port: 81\nlimit: 2Gi\n';
    const template =
      'containers:\n  - image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"\n    ports: [{ containerPort: {{ .Values.service.port | int }} }]\n    resources:\n      limits:\n        memory: {{ .Values.limit | quote }}\n  - image: "b:{{ include "x" . }}"\n';
    const found = facts("c/templates/app.yaml", template, {
      "c/Chart.yaml": "appVersion: 1.2\n",
      "c/values.yaml": values,
    });
    const [first, second] = found.uses.filter(({ file }) => file === "c/templates/app.yaml");
    assert.deepEqual(
      [first?.ref, first?.ports, first?.sizes.map(({ file, line, bytes }) => [file, line, bytes]), second?.ref],
      ["r.io/a:1.2", [{ file: "c/values.yaml", line: 5, port: 81 }], [["c/values.yaml", 6, 2 ** 31]], "b:*"],
    );
  });

  it("reads what skaffold builds, for whom, and with which builder", () => {
    const text = `apiVersion: skaffold/v4beta11
build:
  platforms: [linux/amd64, linux/arm64]
  artifacts:
    - image: web
      context: web
      requires: [{ image: base, alias: BASE }]
      docker: { dockerfile: D.web, target: prod, buildArgs: { A: "1", B: "{{.X}}" } }
    - image: base
    - image: lib
      ko: {}
`;
    const { builds, pushes } = facts("k/skaffold.yaml", text);
    assert.deepEqual(builds.map(brief), [
      {
        dockerfile: "k/web/D.web",
        tags: ["web:*"],
        args: { A: "1", B: "*", BASE: "base" },
        platforms: ["linux/amd64", "linux/arm64"],
        target: "prod",
        pushes: true,
      },
      { dockerfile: "k/Dockerfile", tags: ["base:*"], platforms: ["linux/amd64", "linux/arm64"], pushes: true },
    ]);
    assert.deepEqual(builds[0]?.contexts, { base: "target:base" });
    assert.deepEqual(
      pushes.map(({ ref }) => ref),
      ["lib:*"],
    );
    assert.deepEqual(facts("skaffold.yaml", "build: { artifacts: [{ image: a }] }\n").builds, []);
  });

  it("leaves other YAML alone", () => {
    assert.deepEqual(facts("config.yaml", "image: a:1\nother: 2\n").uses, []);
  });
});

describe("fileKind", () => {
  it("knows every usual name", () => {
    const table: [string, string | undefined][] = [
      ["Dockerfile", "dockerfile"],
      ["a/Dockerfile.gpu", "dockerfile"],
      ["a/gpu.Dockerfile", "dockerfile"],
      ["Dockerfile-dev", "dockerfile"],
      ["Dockerfile_intel", "dockerfile"],
      ["app.dockerfile", "dockerfile"],
      ["Containerfile", "dockerfile"],
      ["Dockerfile.j2", "template"],
      ["Dockerfile.md", undefined],
      ["Dockerfile.dockerignore", undefined],
      ["dockerfile.go", undefined],
      ["docker-compose.prod.yml", "compose"],
      ["compose.yaml", "compose"],
      ["docker-bake.hcl", "bake"],
      ["docker-bake.override.json", "bake"],
      ["GNUmakefile", "make"],
      ["x.mk", "make"],
      [".github/workflows/a.yml", "workflow"],
      ["actions/x/action.yml", "workflow"],
      [".gitlab-ci.yml", "gitlab"],
      ["ci/Build.gitlab-ci.yml", "gitlab"],
      [".gitlab-ci.deploy.yaml", "gitlab"],
      [".gitlab/ci/build.yml", "manifest"],
      ["chart/values-prod.yaml", "values"],
      ["k8s/deploy.yml", "manifest"],
      ["run.sh", "script"],
      [".env", "env"],
      ["main.py", undefined],
    ];
    for (const [path, kind] of table) assert.equal(fileKind(path), kind, path);
  });
});
