import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { ensureTls, type TlsFiles } from "../../../toolchain/services/tls.ts";

const DAY = 24 * 3600 * 1000;
const now = new Date();
const later = (days: number) => new Date(now.getTime() + days * DAY);

describe("ensureTls", () => {
  let directory: string;
  let files: TlsFiles;
  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), "keelson-tls-")), "with space");
    files = await ensureTls(directory, now);
  });
  afterEach(() => rm(join(directory, ".."), { recursive: true }));

  const read = async () => ({
    ca: await readFile(files.ca, "utf8"),
    certificate: await readFile(files.certificate, "utf8"),
  });

  it("gives a server that clients with our CA, and only they, accept under every name of loopback", async () => {
    const server = createServer({ cert: await readFile(files.certificate), key: await readFile(files.key) }, (socket) =>
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const get = (options: object) =>
      new Promise<number | undefined>((resolve, reject) => {
        request({ host: "127.0.0.1", port, agent: false, ...options }, (response) => resolve(response.statusCode))
          .once("error", reject)
          .end();
      });
    const ca = await readFile(files.ca);
    try {
      assert.equal(await get({ ca, servername: "localhost" }), 200);
      assert.equal(await get({ ca }), 200, "by address");
      await assert.rejects(get({ servername: "localhost" }), /UNABLE_TO_VERIFY|unable to verify/);
      await assert.rejects(get({ ca, servername: "registry.example" }), /ERR_TLS_CERT_ALTNAME_INVALID|altnames/);
    } finally {
      server.close();
    }
  });

  it("keeps what is good, and the keys to their owner", async () => {
    const before = await read();
    await ensureTls(directory, later(300));
    assert.deepEqual(await read(), before);
    for (const key of [files.key, join(directory, "ca.key")]) assert.equal((await stat(key)).mode & 0o777, 0o600);
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
  });

  it("renews the server certificate in its last 30 days, under the same CA", async () => {
    const before = await read();
    await ensureTls(directory, later(340));
    const after = await read();
    assert.equal(after.ca, before.ca);
    assert.notEqual(after.certificate, before.certificate);
    assert.ok(new X509Certificate(after.certificate).verify(new X509Certificate(after.ca).publicKey));
  });

  it("renews the CA, and with it the server certificate, before either ends", async () => {
    const before = await read();
    await ensureTls(directory, later(3300));
    const after = await read();
    assert.notEqual(after.ca, before.ca);
    assert.ok(new X509Certificate(after.certificate).verify(new X509Certificate(after.ca).publicKey));
    assert.equal(await readFile(join(files.trust, "ca.crt"), "utf8"), after.ca, "clients trust the new one");
  });

  it("makes anew when the clock stands before the certificate's time", async () => {
    const before = await read();
    await ensureTls(directory, later(-30));
    assert.notEqual((await read()).ca, before.ca);
  });

  for (const name of ["ca.pem", "ca.key", "server.pem", "server.key", "trust/ca.crt"]) {
    it(`heals when ${name} is deleted, or holds something else`, async () => {
      for (const damage of [
        () => rm(join(directory, name)),
        () => writeFile(join(directory, name), "-----BEGIN NOTHING-----\n"),
      ]) {
        await damage();
        await ensureTls(directory, now);
        const { ca, certificate } = await read();
        assert.ok(new X509Certificate(certificate).verify(new X509Certificate(ca).publicKey));
        assert.equal(await readFile(join(files.trust, "ca.crt"), "utf8"), ca);
      }
    });
  }

  it("does not take a key of another certificate", async () => {
    await writeFile(files.key, await readFile(join(directory, "ca.key")));
    const before = await read();
    await ensureTls(directory, now);
    assert.notEqual((await read()).certificate, before.certificate);
  });
});
