import assert from "node:assert/strict";
import { type ContainerOptions, containerSpec, type ImageProgram } from "../../../toolchain/services/container.ts";

describe("containerSpec", () => {
  const program: ImageProgram = {
    args: ["serve", "--port", "1"],
    env: ["A=1", "B=x=y"],
    user: "10001:10002",
    directory: "",
  };
  const options: ContainerOptions = { rootfs: "/r", hostname: "h", env: {}, binds: [], cgroup: "/c/g" };
  type Spec = {
    process: {
      args: string[];
      env: string[];
      user: object;
      cwd: string;
      noNewPrivileges: boolean;
      capabilities: object;
    };
    mounts: { destination: string; source: string; options: string[] }[];
    linux: { namespaces: { type: string }[]; cgroupsPath: string };
  };
  const spec = (p: Partial<ImageProgram> = {}, o: Partial<ContainerOptions> = {}) =>
    containerSpec({ ...program, ...p }, { ...options, ...o }) as unknown as Spec;

  it("runs what the image runs, as its user, with this machine's settings in place of the image's", () => {
    const { process, linux } = spec({}, { env: { A: "2", C: "3" } });
    assert.deepEqual(process.args, program.args);
    assert.deepEqual(process.env, ["B=x=y", "A=2", "C=3"]);
    assert.deepEqual([process.user, process.cwd], [{ uid: 10001, gid: 10002 }, "/"]);
    assert.equal(linux.cgroupsPath, "/c/g");
  });

  it("has no capability and no way to one, and shares nothing with the host but its network", () => {
    const { process, linux } = spec({ user: "" });
    assert.deepEqual(process.user, { uid: 0, gid: 0 });
    assert.equal(process.noNewPrivileges, true);
    assert.deepEqual([...new Set(Object.values(process.capabilities).flat())], []);
    assert.deepEqual(linux.namespaces.map(({ type }) => type).toSorted(), ["ipc", "mount", "pid", "uts"]);
  });

  it("mounts what it is given, writable only where that is said", () => {
    const binds = [
      { source: "/h/a b", target: "/volume", writable: true },
      { source: "/etc/hosts", target: "/etc/hosts", writable: false },
    ];
    const own = spec({}, { binds }).mounts.slice(-2);
    assert.deepEqual(
      own.map(({ destination, source, options }) => [destination, source, options.at(-1)]),
      [
        ["/volume", "/h/a b", "rw"],
        ["/etc/hosts", "/etc/hosts", "ro"],
      ],
    );
  });

  it("refuses a user by name, which only the image could look up", () => {
    assert.equal((spec({ user: "7" }).process.user as { gid: number }).gid, 0);
    for (const user of ["node", "1:root", "-1"]) assert.throws(() => spec({ user }), /expected a user as numbers/);
  });
});
