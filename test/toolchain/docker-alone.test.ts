import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { type DockerAnswer, findDockerServer, loadIntoDocker, type RunDocker } from "../../toolchain/docker-alone.ts";

/** docker's client as recorded: the answer to each command that begins so, the last for all further ones. */
function recorded(answers: Readonly<Record<string, readonly Partial<DockerAnswer>[]>>) {
  const asked: string[] = [];
  const run: RunDocker = async (args, input) => {
    const line = args.join(" ");
    asked.push(input === undefined ? line : `${line} < ${await text(input)}`);
    const key = Object.keys(answers).find((begin) => line.startsWith(begin));
    const all = key === undefined ? [] : (answers[key] ?? []);
    const turn = asked.filter((done) => key !== undefined && done.startsWith(key)).length - 1;
    return { exitCode: 0, stdout: "", stderr: "", ...(all[turn] ?? all.at(-1)) };
  };
  return { run, asked };
}

/** Docker Desktop 4.50 for macOS. */
const DESKTOP =
  '{"Platform":{"Name":"Docker Desktop 4.50.0 (209931)"},"Version":"28.5.1","ApiVersion":"1.51","MinAPIVersion":"1.24","Os":"linux","Arch":"arm64"}';
const NO_DAEMON = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";

describe("docker's client", () => {
  it("finds the daemon of its context, and that of DOCKER_HOST", async () => {
    const { run } = recorded({ version: [{ stdout: DESKTOP }], "context inspect": [{ stdout: "desktop-linux\n" }] });
    const found = { version: "28.5.1", platform: "linux/arm64" };
    assert.deepEqual(await findDockerServer({}, run), { endpoint: "desktop-linux", ...found });
    const env = { DOCKER_HOST: "npipe:////./pipe/docker_engine" };
    assert.deepEqual(await findDockerServer(env, run), { endpoint: env.DOCKER_HOST, ...found });
  });

  it("says that no daemon answers, in docker's words", async () => {
    const { run } = recorded({ version: [{ exitCode: 1, stdout: "null", stderr: NO_DAEMON }] });
    await assert.rejects(findDockerServer({}, run), {
      name: "UserError",
      message: /^Docker does not answer: Cannot c/,
    });
  });

  it("tells Windows containers from Linux'", async () => {
    const windows = DESKTOP.replace('"linux"', '"windows"').replace("arm64", "amd64");
    await assert.rejects(findDockerServer({}, recorded({ version: [{ stdout: windows }] }).run), /Windows containers/);
  });

  const image = { name: "todo-backend:1.0.0", digests: ["sha256:c", "sha256:m"], archive: () => Readable.from("tar") };
  const MISSING = { exitCode: 1, stderr: "Error response from daemon: No such image: todo-backend:1.0.0" };

  it("loads what Docker lacks, and looks that it has it", async () => {
    const { run, asked } = recorded({ "image inspect": [MISSING, { stdout: "sha256:m\n" }] });
    assert.equal(await loadIntoDocker(image, run), "loaded");
    assert.deepEqual(asked, [
      "image inspect --format {{.Id}} todo-backend:1.0.0",
      "image load --quiet < tar",
      "image inspect --format {{.Id}} todo-backend:1.0.0",
    ]);
  });

  it("loads nothing that is there, by either of its digests", async () => {
    for (const stdout of ["sha256:c\n", "sha256:m\n"]) {
      const { run, asked } = recorded({ "image inspect": [{ stdout }] });
      assert.equal(await loadIntoDocker(image, run), "there");
      assert.equal(asked.length, 1);
    }
  });

  it("says what Docker said, and where it has something else in the end", async () => {
    const full = { exitCode: 1, stderr: "Error response from daemon: write /layer.tar: no space left on device" };
    await assert.rejects(loadIntoDocker(image, recorded({ "image inspect": [MISSING], "image load": [full] }).run), {
      message: /^Docker does not take todo-backend:1\.0\.0: .*no space left on device$/,
    });
    await assert.rejects(loadIntoDocker(image, recorded({ "image inspect": [{ stdout: "sha256:x" }] }).run), {
      message: "Docker took todo-backend:1.0.0, but has sha256:x in its place",
    });
  });
});
