import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { readRegistryConfig, registryService } from "../../../toolchain/services/registry.ts";

const tool = { name: "docker-registry", version: "2.8.2", path: "/usr/bin/docker-registry", origin: "path" } as const;

describe("the registry's configuration", () => {
  let services: string;
  let tls: { ca: string; certificate: string; key: string; trust: string };
  let other: Server | undefined;
  beforeEach(async () => {
    services = join(await mkdtemp(join(tmpdir(), "keelson-registry-")), "with: space");
    await mkdir(services);
    tls = { ca: "/t/ca.pem", certificate: join(services, "server.pem"), key: "/t/server.key", trust: "/t/trust" };
    await writeFile(tls.certificate, "certificate 1");
  });
  afterEach(async () => {
    other?.close();
    other = undefined;
    await rm(join(services, ".."), { recursive: true });
  });
  const configure = (last?: number) => registryService(services, tool, tls, last);
  const config = () => readFile(join(services, "registry", "config.yml"), "utf8");
  const takenPort = async () => {
    other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    return (other.address() as AddressInfo).port;
  };

  it("listens on loopback with TLS, may delete, logs no requests", async () => {
    const { port } = await configure();
    const found = parse(await config());
    assert.equal(found.http.addr, `127.0.0.1:${port}`);
    assert.deepEqual(found.http.tls, { certificate: tls.certificate, key: tls.key, minimumtls: "tls1.2" });
    assert.equal(found.storage.delete.enabled, true);
    assert.equal(found.storage.filesystem.rootdirectory, join(services, "registry", "data"));
    assert.deepEqual(found.log, { level: "warn", accesslog: { disabled: true } });
    assert.equal((await stat(join(services, "registry", "config.yml"))).mode & 0o777, 0o600);
  });

  it("keeps its port, its upload secret and so its revision", async () => {
    const first = await configure();
    const text = await config();
    const second = await configure();
    assert.equal(await config(), text);
    assert.equal(second.revision, first.revision);
    assert.equal(second.notice, undefined);
  });

  it("is the same service from wherever the program was found, and another with another version", async () => {
    const first = await configure();
    const moved = await registryService(services, { ...tool, path: "/opt/docker-registry" }, tls);
    const newer = await registryService(services, { ...tool, version: "2.8.3" }, tls);
    assert.equal(moved.revision, first.revision);
    assert.notEqual(newer.revision, first.revision);
  });

  it("starts anew with a new certificate", async () => {
    const first = await configure();
    await writeFile(tls.certificate, "certificate 2");
    assert.notEqual((await configure()).revision, first.revision);
  });

  it("chooses another port where its own is taken, says so, and keeps that one", async () => {
    const taken = await takenPort();
    const moved = await configure(taken);
    assert.notEqual(moved.port, taken);
    assert.equal(
      moved.notice,
      `port ${taken} is taken by another program: the embedded registry now uses ${moved.port}`,
    );
    other?.close();
    const again = await configure(taken);
    assert.equal(again.port, moved.port, "images carry the port in their names");
    assert.equal(again.notice, undefined);
  });

  it("takes the last known port where its file is damaged", async () => {
    const { port } = await configure();
    for (const text of ["", ":::", "http: {addr: '0.0.0.0:80', secret: x}"]) {
      await writeFile(join(services, "registry", "config.yml"), text);
      assert.equal(await readRegistryConfig(services), undefined, text);
      assert.equal((await configure(port)).port, port);
    }
  });
});
