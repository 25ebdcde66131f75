import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../core/error.ts";
import {
  ensureMinikube,
  loadIntoMinikube,
  type MinikubeAnswer,
  minikubeImages,
  type RunMinikube,
  removeFromMinikube,
  requireOnNode,
} from "../../toolchain/minikube.ts";

const ID = "a".repeat(64);

/**
 * What minikube v1.30.1 answered on 2023-05-31 in its own integration tests (macOS on arm64, driver qemu2, runtime docker), as their log
 * has it: testdata/testdb/QEMU_macOS.json in github.com/medyagh/gopogh. Of 18 images four; the rest is told as it was.
 */
const RECORDED = {
  /** TestMultiNode/serial/CopyFile: `status --output json`, of a profile whose machine never started. */
  stopped: {
    exitCode: 7,
    stdout:
      '{"Name":"multinode-073000","Host":"Stopped","Kubelet":"Stopped","APIServer":"Stopped","Kubeconfig":"Stopped","Worker":false}\n',
    stderr: "",
  },
  /** TestFunctional/parallel/ImageCommands/ImageListJson: `image ls --format json`. */
  images: {
    exitCode: 0,
    stdout: `[${[
      [
        "5ee47dcca7543750b3941b52e98f103bbbae9aaf574ab4dc018e1e7d34e505ad",
        "docker.io/library/nginx:alpine",
        "41000000",
      ],
      [
        "a422e0e982356f6c1cf0e5bb7b733363caae3992a07c99951fbcc73e58ed656a",
        "docker.io/kubernetesui/metrics-scraper:<none>",
        "42300000",
      ],
      ["8cb2091f603e75187e2f6226c5901d12e00b1d1f778c6471ae4578e8a1c4724a", "registry.k8s.io/pause:latest", "240000"],
      [
        "8a6c1b85c0427dbbec58178318e5303e0f104c0da77d16e6996b89b76164db7b",
        "docker.io/library/minikube-local-cache-test:functional-730000",
        "30",
      ],
    ]
      .map(([id, tag, size]) => `{"id":"${id}","repoDigests":[],"repoTags":["${tag}"],"size":"${size}"}`)
      .join(",")}]\n`,
    stderr: "",
  },
  /** TestMultiNode/serial/DeployApp2Nodes: `kubectl -p … -- get pods`, of the profile above. */
  noServer: { exitCode: 1, stdout: "", stderr: 'error: no server found for cluster "multinode-073000"\n' },
  /** TestStartStop/group/no-preload/serial/FirstStart: `start`, by its last lines. */
  notStarted: {
    exitCode: 80,
    stdout:
      '* Creating qemu2 VM (CPUs=2, Memory=2200MB, Disk=20000MB) ...\nOUTPUT: \nERROR: Failed to connect to "/var/run/socket_vmnet": Connection refused\n\n',
    stderr: "",
  },
} as const;

/**
 * Answers of minikube v1.37.0, written after its documentation and sources (cmd/minikube/cmd/status.go: the JSON of a node and
 * the exit codes that are sums of 1, 2 and 4, 85 for no profile; pkg/minikube/cruntime: ListImage). The workflow
 * .github/workflows/minikube.yml runs the real one.
 */
const STATUS = {
  running:
    '{"Name":"minikube","Host":"Running","Kubelet":"Running","APIServer":"Running","Kubeconfig":"Configured","Worker":false}',
  stopped:
    '{"Name":"minikube","Host":"Stopped","Kubelet":"Stopped","APIServer":"Stopped","Kubeconfig":"Stopped","Worker":false}',
  /** The host runs, and what it runs does not: after an API server that died, and after `minikube pause`. */
  apiStopped:
    '{"Name":"minikube","Host":"Running","Kubelet":"Running","APIServer":"Stopped","Kubeconfig":"Configured","Worker":false}',
  paused:
    '{"Name":"minikube","Host":"Running","Kubelet":"Stopped","APIServer":"Paused","Kubeconfig":"Configured","Worker":false}',
  two: '[{"Name":"minikube","Host":"Running","Kubelet":"Running","APIServer":"Running","Kubeconfig":"Configured","Worker":false},{"Name":"minikube-m02","Host":"Running","Kubelet":"Running","APIServer":"Irrelevant","Kubeconfig":"Irrelevant","Worker":true}]',
};
const image = (id: string, ...repoTags: string[]) => ({ id, repoDigests: [], repoTags, size: "741000" });
const PAUSE = image(`sha256:${"b".repeat(64)}`, "registry.k8s.io/pause:3.10.1");
const pods = (...images: string[]) => ({
  apiVersion: "v1",
  kind: "List",
  items: [{ kind: "Pod", spec: { containers: images.map((name) => ({ name: "c", image: name })) } }],
});

const ok = (value: unknown): MinikubeAnswer => ({
  exitCode: 0,
  stdout: typeof value === "string" ? value : JSON.stringify(value),
  stderr: "",
});
const refused = (exitCode: number, stderr: string): MinikubeAnswer => ({ exitCode, stdout: "", stderr });

/** A minikube that answers as it is told, each time the next, and says what it was asked. */
function minikube(answers: Readonly<Record<string, readonly MinikubeAnswer[]>>): {
  readonly run: RunMinikube;
  readonly asked: string[];
} {
  const asked: string[] = [];
  const rest = new Map(Object.entries(answers).map(([key, list]) => [key, [...list]]));
  const run: RunMinikube = async (args) => {
    const line = args.join(" ");
    asked.push(line);
    const [, list = []] = [...rest].find(([key]) => line.startsWith(key)) ?? [];
    const answer = list.length > 1 ? list.shift() : list[0];
    assert.ok(answer, `nobody said what to answer to minikube ${line}`);
    return answer;
  };
  return { run, asked };
}

const told = (pattern: RegExp) => (error: unknown) =>
  error instanceof UserError && pattern.test(`${error.message}\n${error.fix}`);

describe("what minikube v1.30.1 really answered", () => {
  const profile = { profile: "multinode-073000", start: true };

  it("is a profile that does not run, and is started", async () => {
    const { run, asked } = minikube({ status: [RECORDED.stopped], start: [ok("* Done!")] });
    assert.equal(await ensureMinikube(profile, run), "started");
    assert.deepEqual(asked, ["status -p multinode-073000 -o json", "start -p multinode-073000"]);
    await assert.rejects(ensureMinikube({ ...profile, start: false }, run), told(/is Stopped, and start is false/));
  });

  it("is why it does not start", async () => {
    const { run } = minikube({ status: [RECORDED.stopped], start: [RECORDED.notStarted] });
    await assert.rejects(
      ensureMinikube(profile, run),
      told(/does not start:\n[\s\S]*socket_vmnet": Connection refused/),
    );
  });

  it("is a list of images, with a name that is none among them", async () => {
    const { run } = minikube({ "image ls": [RECORDED.images] });
    const images = await minikubeImages("functional-730000", run);
    assert.deepEqual(
      images.map(({ id, tags }) => `${id.slice(0, 8)} ${tags.join(",")}`),
      [
        "5ee47dcc docker.io/library/nginx:alpine",
        "a422e0e9 docker.io/kubernetesui/metrics-scraper:<none>",
        "8cb2091f registry.k8s.io/pause:latest",
        "8a6c1b85 docker.io/library/minikube-local-cache-test:functional-730000",
      ],
    );
  });

  it("is an image that it has, by its config's digest", async () => {
    const { run, asked } = minikube({ "image ls": [RECORDED.images] });
    const digests = ["sha256:8a6c1b85c0427dbbec58178318e5303e0f104c0da77d16e6996b89b76164db7b"];
    const wanted = { name: "minikube-local-cache-test:functional-730000", digests, archive: () => Readable.from([]) };
    const places = { folder: tmpdir(), locks: mkdtempSync(join(tmpdir(), "keelson-minikube-")) };
    assert.equal(
      await loadIntoMinikube("functional-730000", wanted, places, run).finally(() =>
        rmSync(places.locks, { recursive: true }),
      ),
      "there",
    );
    assert.equal(asked.length, 1);
  });

  it("removes nothing where nobody says what pods use", async () => {
    const { run, asked } = minikube({
      ...{ status: [RECORDED.stopped], "image ls": [RECORDED.images], kubectl: [RECORDED.noServer] },
    });
    await assert.rejects(
      removeFromMinikube("multinode-073000", ["nginx:alpine"], run),
      told(/does not say which images its pods use:\nerror: no server found for cluster/),
    );
    assert.ok(!asked.some((line) => line.startsWith("image rm")));
  });
});

describe("an image that Minikube is to go back to", () => {
  const { run } = minikube({ "image ls": [ok([image(ID, "docker.io/library/web:sha256-1a2b"), PAUSE])] });
  const again = (found: boolean, calls: string[]) => async () => {
    calls.push("again");
    return found;
  };

  it("is loaded again where the node has it no more, and not where it has", async () => {
    const calls: string[] = [];
    await requireOnNode("minikube", "web:sha256-1a2b", again(true, calls), run);
    assert.deepEqual(calls, []);
    await requireOnNode("minikube", "web:sha256-9f8e", again(true, calls), run);
    assert.deepEqual(calls, ["again"]);
  });

  it("is told where the registry has it no more either", async () => {
    await assert.rejects(
      requireOnNode("minikube", "web:sha256-9f8e", again(false, []), run),
      (error: unknown) => error instanceof UserError && /has no web:sha256-9f8e any more, and/.test(error.message),
    );
  });
});

describe("ensureMinikube", () => {
  const profile = { profile: "minikube", start: true };

  for (const [what, status] of [
    ["a node", STATUS.running],
    ["several nodes", STATUS.two],
  ] as const)
    it(`leaves alone what runs: ${what}`, async () => {
      const { run, asked } = minikube({ status: [ok(status)] });
      assert.equal(await ensureMinikube(profile, run), "runs");
      assert.deepEqual(asked, ["status -p minikube -o json"]);
    });

  for (const [what, status] of [
    ["is stopped", { ...ok(STATUS.stopped), exitCode: 7 }],
    ["is not there", refused(85, '* Profile "minikube" not found. Run "minikube profile list" to view all profiles.')],
  ] as const)
    it(`starts a profile that ${what}, with what the config says of it`, async () => {
      const { run, asked } = minikube({ status: [status], start: [ok("* Done!")] });
      const wanted = { ...profile, driver: "docker", cpus: 2, memory: "4 GiB", gpus: "all" } as const;
      assert.equal(await ensureMinikube(wanted, run), "started");
      assert.equal(asked[1], "start -p minikube --driver=docker --cpus=2 --memory=4096mb --gpus=all");
    });

  it("starts nothing that may not be started, and says what to do", async () => {
    const { run, asked } = minikube({ status: [{ ...ok(STATUS.stopped), exitCode: 7 }] });
    await assert.rejects(ensureMinikube({ ...profile, start: false }, run), told(/is Stopped, and start is false/));
    assert.equal(asked.length, 1);
  });

  for (const [status, words, command] of [
    [STATUS.apiStopped, /runs, but its API server is Stopped, and start is false/, /run `minikube start -p minikube`/],
    [STATUS.paused, /runs, but its API server is Paused, and start is false/, /run `minikube unpause -p minikube`/],
  ] as const)
    it(`says which part does not run: ${words.source.slice(6, 39)}`, async () => {
      const { run } = minikube({ status: [{ ...ok(status), exitCode: 2 }] });
      const refusal = ensureMinikube({ ...profile, start: false }, run);
      await assert.rejects(refusal, (error) => told(words)(error) && told(command)(error));
    });

  it("starts what has a host without an API server", async () => {
    const { run, asked } = minikube({ status: [{ ...ok(STATUS.apiStopped), exitCode: 2 }], start: [ok("* Done!")] });
    assert.equal(await ensureMinikube(profile, run), "started");
    assert.equal(asked[1], "start -p minikube");
  });

  it("says what minikube said where it does not start", async () => {
    const why = "X Exiting due to PROVIDER_DOCKER_NOT_RUNNING: deadline exceeded running docker version";
    const { run } = minikube({ status: [refused(85, "")], start: [refused(69, why)] });
    await assert.rejects(ensureMinikube(profile, run), told(/does not start:\n.*PROVIDER_DOCKER_NOT_RUNNING/));
  });
});

describe("minikubeImages", () => {
  it("gives ids and whole names, whichever container runtime lists them", async () => {
    const { run } = minikube({
      "image ls": [ok([PAUSE, { id: ID, repoDigests: null, repoTags: null, size: "1" }, image(ID, "todo:1")])],
    });
    assert.deepEqual(await minikubeImages("p", run), [
      { id: "b".repeat(64), tags: ["registry.k8s.io/pause:3.10.1"] },
      { id: ID, tags: [] },
      { id: ID, tags: ["docker.io/library/todo:1"] },
    ]);
  });

  it("takes no other answer for a list", async () => {
    const { run } = minikube({ "image ls": [refused(83, "X Exiting due to GUEST_STATUS: control plane is down")] });
    await assert.rejects(minikubeImages("p", run), told(/does not list its images:\n.*GUEST_STATUS/));
  });
});

describe("loadIntoMinikube", () => {
  let folder: string;
  let places: { readonly folder: string; readonly locks: string };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson-minikube-"));
    places = { folder, locks: join(folder, "locks") };
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const todo = {
    name: "todo-backend:1.0.0",
    digests: [`sha256:${ID}`, `sha256:${"c".repeat(64)}`],
    archive: () => Readable.from(["an archive"]),
  };
  const there = image(ID, "docker.io/library/todo-backend:1.0.0");

  it("loads nothing that the node has", async () => {
    const { run, asked } = minikube({ "image ls": [ok([PAUSE, there])] });
    assert.equal(await loadIntoMinikube("p", todo, places, run), "there");
    assert.deepEqual(asked, ["image ls -p p --format json"]);
  });

  for (const [what, before] of [
    ["lacks", []],
    ["has with other content", [image("d".repeat(64), "docker.io/library/todo-backend:1.0.0")]],
    ["has under another name", [image(ID, "docker.io/library/todo-backend:0.9.0")]],
  ] as const)
    it(`loads what the node ${what}, and looks whether it has it then`, async () => {
      const { run, asked } = minikube({
        "image ls": [ok([PAUSE, ...before]), ok([PAUSE, there])],
        "image load": [ok("")],
      });
      assert.equal(await loadIntoMinikube("p", todo, places, run), "loaded");
      const archive = join(folder, `todo-backend_1.0.0-${ID.slice(0, 16)}.tar`);
      assert.deepEqual(asked[1], `image load -p p ${archive}`);
      assert.equal(readFileSync(archive, "utf8"), "an archive");
      assert.equal(asked.length, 3);
    });

  it("does not believe a load after which the node lacks it", async () => {
    const { run } = minikube({ "image ls": [ok([PAUSE])], "image load": [ok("")] });
    await assert.rejects(loadIntoMinikube("p", todo, places, run), told(/could not be loaded.*\n.*image ls. lacks it/));
  });

  /** As minikube does: the archive goes to a folder of the node that all loads share, under the name it has, and is read there. */
  function sharing() {
    const node = join(folder, "node");
    mkdirSync(node);
    const [images, names] = [[] as object[], [] as string[]];
    const most = { loading: 0, atOnce: 0 };
    const run: RunMinikube = async (args) => {
      if (args[1] === "ls") return ok(images);
      const file = args.at(-1) ?? "";
      const copy = join(node, basename(file));
      names.push(basename(file));
      most.atOnce = Math.max(most.atOnce, ++most.loading);
      copyFileSync(file, copy);
      await sleep(100);
      const [name, id] = readFileSync(copy, "utf8").split(" ");
      images.push(image(id ?? "", `docker.io/library/${name}`));
      most.loading -= 1;
      return ok("");
    };
    const loads = (profile: string, letters: string) =>
      [...letters].map((letter) => {
        const own = { ...places, folder: join(folder, `${profile}-${letter}`) };
        mkdirSync(own.folder);
        const wanted = { name: `${letter}:1`, digests: [`sha256:${letter.repeat(64)}`] };
        const archive = () => Readable.from([`${wanted.name} ${letter.repeat(64)}`]);
        return loadIntoMinikube(profile, { ...wanted, archive }, own, run);
      });
    return { loads, most, names };
  }

  it("loads several images that are brought at once, each as what it is, one after the other", async () => {
    const { loads, most, names } = sharing();
    assert.deepEqual(await Promise.all(loads("p", "abc")), ["loaded", "loaded", "loaded"]);
    assert.equal(most.atOnce, 1);
    assert.equal(new Set(names).size, 3, names.join(", "));
  });

  it("holds up no other profile's", async () => {
    const { loads, most } = sharing();
    assert.deepEqual(await Promise.all([...loads("p", "a"), ...loads("q", "b")]), ["loaded", "loaded"]);
    assert.equal(most.atOnce, 2);
  });
});

describe("removeFromMinikube", () => {
  const status = [ok(STATUS.running)];
  const todo = image(ID, "docker.io/library/todo:1");
  const leaving = { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" }, status: { phase: "Running" } };
  const pod = (more: object) => ok({ items: [{ ...pods("todo:1").items[0], ...more }] });
  const remove = async (answers: Parameters<typeof minikube>[0]) => {
    const { run, asked } = minikube({ status, ...answers });
    let pauses = 0;
    const pause = async () => {
      pauses += 1;
    };
    const removed = await removeFromMinikube("p", ["todo:1"], run, pause).catch((error: unknown) => error);
    return { removed, pauses, tried: asked.filter((line) => line.startsWith("image rm")).length };
  };

  it("waits for pods that are ending", async () => {
    const kubectl = [pod(leaving), pod(leaving), ok(pods("todo:2"))];
    const { removed, pauses } = await remove({ "image ls": [ok([todo])], kubectl, "image rm": [ok("")] });
    assert.deepEqual([removed, pauses], [["docker.io/library/todo:1"], 2]);
  });

  it("says so where they do not end", async () => {
    const { removed, pauses, tried } = await remove({ "image ls": [ok([todo])], kubectl: [pod(leaving)] });
    assert.ok(told(/todo:1: pods that are ending use it/)(removed), String(removed));
    assert.deepEqual([pauses, tried], [20, 0]);
  });

  it("waits for nobody where a pod that stays uses it", async () => {
    const both = ok({ items: [...pods("todo:1").items, { ...pods("todo:1").items[0], ...leaving }] });
    const { removed, pauses } = await remove({ "image ls": [ok([todo])], kubectl: [both] });
    assert.deepEqual([removed, pauses], [[], 0]);
  });

  for (const phase of ["Succeeded", "Failed"])
    it(`counts no pod that has ${phase.toLowerCase()}`, async () => {
      const kubectl = [pod({ status: { phase } })];
      const { removed, pauses } = await remove({ "image ls": [ok([todo])], kubectl, "image rm": [ok("")] });
      assert.deepEqual([removed, pauses], [["docker.io/library/todo:1"], 0]);
    });

  it("tries again what can't be removed, and says why it could not", async () => {
    const kubectl = [ok(pods("todo:2"))];
    const why = refused(80, "X Exiting due to GUEST_IMAGE_REMOVE: conflict: unable to remove repository reference");
    const twice = await remove({ "image ls": [ok([todo])], kubectl, "image rm": [why, ok("")] });
    assert.deepEqual([twice.removed, twice.pauses], [["docker.io/library/todo:1"], 1]);
    const never = await remove({ "image ls": [ok([todo])], kubectl, "image rm": [why] });
    assert.ok(told(/todo:1: X Exiting due to GUEST_IMAGE_REMOVE/)(never.removed), String(never.removed));
  });

  it("has nothing to remove where the profile is gone", async () => {
    const gone = refused(85, '* Profile "p" not found. Run "minikube profile list" to view all profiles.');
    const { removed } = await remove({ status: [gone] });
    assert.deepEqual(removed, []);
  });

  it("removes what is there and no pod uses", async () => {
    const names = ["todo:1", "todo:2", "todo:3"];
    const { run, asked } = minikube({
      status,
      "image ls": [ok(names.slice(0, 2).map((name, i) => image(String(i).repeat(64), `docker.io/library/${name}`)))],
      kubectl: [ok(pods("todo:2", "registry.k8s.io/pause:3.10.1"))],
      "image rm": [ok("")],
    });
    assert.deepEqual(await removeFromMinikube("p", names, run), ["docker.io/library/todo:1"]);
    assert.deepEqual(
      asked.filter((line) => line.startsWith("image rm")),
      ["image rm -p p docker.io/library/todo:1"],
    );
  });

  it("removes nothing where the pods can't be asked", async () => {
    const { run, asked } = minikube({ status, "image ls": [ok([])], kubectl: [refused(1, "connection refused")] });
    await assert.rejects(removeFromMinikube("p", ["todo:1"], run), told(/does not say which images/));
    assert.ok(!asked.some((line) => line.startsWith("image rm")));
  });
});
