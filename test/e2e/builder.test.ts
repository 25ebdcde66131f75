import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { resolveBuilder } from "../../toolchain/builder.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";

/** Needs the toolchain. */
describe("builders that buildx starts", function () {
  this.timeout(120_000);
  let folder: string;
  let temporary: TemporaryHome;
  before(async () => {
    temporary = await temporaryHome("buildx");
    folder = temporary.folder;
  });
  after(() => temporary.remove());

  it("ask the cluster of the context for a deployment per platform, as the stack wants it", async () => {
    const asked: { method: string; url: string; body: string }[] = [];
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        asked.push({ method: request.method ?? "", url: request.url ?? "", body });
        const status = { kind: "Status", apiVersion: "v1", status: "Failure", reason: "NotFound", code: 404 };
        response.writeHead(request.method === "GET" ? 404 : 403, { "content-type": "application/json" });
        response.end(JSON.stringify(status));
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const cluster = (name: string, address: string) => ({ name, cluster: { server: address } });
    const context = (name: string) => ({ name, context: { cluster: name, user: "me" } });
    const kubeconfig = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [cluster("lab", `http://127.0.0.1:${port}`), cluster("other", "http://127.0.0.1:1")],
      contexts: [context("lab"), context("other")],
      users: [{ name: "me", user: { token: "canary-token" } }],
      "current-context": "other",
    };
    process.env.KUBECONFIG = join(folder, "kubeconfig");
    await writeFile(process.env.KUBECONFIG, JSON.stringify(kubeconfig));
    try {
      const kubernetes = {
        context: "lab",
        namespace: "builds",
        replicas: 3,
        platforms: ["linux/amd64", "linux/arm64"] as const,
        image: "registry.example/buildkit:v0.31.0",
      };
      const { nodes, env } = await resolveBuilder({ kubernetes }, silent);
      assert.deepEqual(nodes, [
        { name: "kubernetes", native: kubernetes.platforms, emulated: [], builder: nodes[0]?.builder },
      ]);
      const name = nodes[0]?.builder ?? "";
      assert.match(name, /^keelson-kubernetes-[0-9a-f]{8}$/);
      const buildx = await ensureTool("buildx");
      await execa(buildx.path, ["inspect", "--bootstrap", name], { env, reject: false });

      // The bodies are Kubernetes' protobuf, in which text stands as it is.
      const made = asked.filter(
        ({ method, url }) => method === "POST" && url.endsWith("/namespaces/builds/deployments"),
      );
      assert.equal(made.length, 2, JSON.stringify(asked.map(({ method, url }) => `${method} ${url}`)));
      for (const arch of ["amd64", "arm64"]) {
        const body = made.find((request) => request.body.includes(`${name}-${arch}`))?.body ?? "";
        assert.ok(body.includes(kubernetes.image), `${arch} has the image`);
        assert.match(body, new RegExp(`kubernetes\\.io/arch[^a-z]+${arch}`), "runs where its platform is native");
      }
      const copies = await execa("grep", ["-rl", "canary-token", process.env.KEELSON_HOME ?? ""], { reject: false });
      assert.equal(copies.stdout, "", "no credential was copied");
    } finally {
      server.close();
    }
  });
});
