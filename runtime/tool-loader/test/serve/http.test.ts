import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo, createServer as createTcp, Socket } from "node:net";
import type { Snapshot } from "../../src/serve/health.ts";
import { createHealthServer, type Source } from "../../src/serve/http.ts";
import { firstFrame, probe } from "../../src/serve/probe.ts";
import { initialState, type ToolState } from "../../src/serve/state.ts";
import { parseSpecs } from "../../src/spec/check.ts";
import type { ToolSpec } from "../../src/spec/tool-spec.ts";
import { settle, shellTool } from "../support.ts";

const open: { close(): unknown }[] = [];
/** Of every server, upgraded ones too, which a server no longer counts as its own. */
const sockets = new Set<Socket>();

async function listen(server: Server | ReturnType<typeof createTcp>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  open.push(server);
  server.on("connection", (socket: Socket) => sockets.add(socket));
  return (server.address() as AddressInfo).port;
}

afterEach(() => {
  for (const server of open.splice(0)) server.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});

describe("the health server", () => {
  let state: ToolState = initialState(
    parseSpecs([shellTool("x", { priority: "on-demand" })])[0] as ToolSpec,
    new Set(),
  );
  const listeners = new Set<(event: string, data: unknown) => void>();
  const wanted: string[] = [];
  const source: Source = {
    snapshot: (): Snapshot => ({
      gateway: "running",
      volume: { state: "none", message: "" },
      tools: [state],
      now: 1,
      deadline: 1,
      notes: [],
    }),
    metrics: () => "tool_loader_gateway_up 1\n",
    want: (tool) => (tool === "x" ? wanted.push(tool) > 0 : false),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };

  function ask(
    port: number,
    path: string,
    options: { method?: string; headers?: Record<string, string> } = {},
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const asked = request({ host: "127.0.0.1", port, path, ...options }, (answer) => {
        let text = "";
        answer.on("data", (chunk) => {
          text += chunk;
        });
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
      });
      asked.on("error", reject);
      asked.end();
    });
  }

  it("serves health, details, metrics, and nothing else", async () => {
    const port = await listen(createHealthServer({ snapshot: () => source.snapshot(), source: async () => source }));
    assert.deepEqual(await ask(port, "/health"), { status: 200, text: '{"status":"healthy","gateway":"running"}\n' });
    const full = JSON.parse((await ask(port, "/health?full=true")).text) as { tools: object };
    assert.deepEqual(full.tools, { x: "pending" });
    assert.match((await ask(port, "/metrics")).text, /gateway_up 1/);
    assert.equal((await ask(port, "/")).status, 404);
    assert.equal((await ask(port, "/health", { method: "POST" })).status, 404);
    assert.equal((await ask(port, "/%zz")).status, 404);
  });

  it("installs only for who means it, by name and from here", async () => {
    const port = await listen(createHealthServer({ snapshot: () => source.snapshot(), source: async () => source }));
    const header = { "x-tool-loader": "1" };
    assert.equal((await ask(port, "/tools/x/install")).status, 405);
    assert.equal((await ask(port, "/tools/x/install", { method: "POST" })).status, 403);
    assert.equal(
      (await ask(port, "/tools/x/install", { method: "POST", headers: { ...header, host: "evil.example:80" } })).status,
      403,
    );
    assert.equal((await ask(port, "/tools/nothing/install", { method: "POST", headers: header })).status, 404);
    assert.deepEqual(wanted, []);
  });

  it("streams what happens to a tool until it is there", async () => {
    const port = await listen(createHealthServer({ snapshot: () => source.snapshot(), source: async () => source }));
    const answer = ask(port, "/tools/x/install", { method: "POST", headers: { "x-tool-loader": "1" } });
    while (listeners.size === 0) await settle();
    assert.deepEqual(wanted.splice(0), ["x"]);
    const tell = (data: Partial<ToolState>) => {
      state = { ...state, ...data };
      for (const listener of listeners) listener("tool", state);
    };
    for (const listener of listeners) listener("gateway", { gateway: "running" });
    tell({ status: "installing", phase: "restoring" });
    tell({ status: "installed", source: "volume" });
    const { text } = await answer;
    const told = [...text.matchAll(/^data: (.*)$/gm)].map((m) => (JSON.parse(m[1] as string) as ToolState).status);
    assert.deepEqual(told, ["pending", "installing", "installed"]);
    assert.equal(listeners.size, 0);
  });

  it("streams everything to who listens, and forgets who leaves", async () => {
    const port = await listen(createHealthServer({ snapshot: () => source.snapshot(), source: async () => source }));
    const asked = request({ host: "127.0.0.1", port, path: "/events" });
    const first = new Promise<string>((resolve) =>
      asked.on("response", (answer) => answer.once("data", (chunk) => resolve(String(chunk)))),
    );
    asked.end();
    assert.match(await first, /^event: health\ndata: \{"status":"healthy"/);
    assert.equal(listeners.size, 1);
    asked.on("error", () => {});
    asked.destroy();
    while (listeners.size > 0) await settle();
  });
});

describe("probe", () => {
  it("takes a 2xx, a connection, or a first word for the proof", async () => {
    const http = await listen(createServer((q, r) => void r.writeHead(q.url === "/ok" ? 204 : 500).end()));
    await probe(`http://127.0.0.1:${http}/ok`, 1);
    await assert.rejects(probe(`http://127.0.0.1:${http}/no`, 1), /answered with 500/);
    await probe(`tcp://127.0.0.1:${http}`, 1);
    await assert.rejects(probe("tcp://127.0.0.1:59999", 1), /ECONNREFUSED/);
  });

  it("waits for a WebSocket's first text, which answers on every path don't prove", async () => {
    const pages = await listen(createServer((_q, r) => void r.end("<html>")));
    await assert.rejects(probe(`ws://127.0.0.1:${pages}/`, 1), /speaks no WebSocket/);
    let word: Buffer | undefined;
    const server = createServer();
    server.on("upgrade", (q, socket) => {
      const accept = createHash("sha1")
        .update(`${q.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest("base64");
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      if (word !== undefined) socket.write(word);
      socket.on("error", () => {});
    });
    const port = await listen(server);
    await assert.rejects(probe(`ws://127.0.0.1:${port}/`, 0.1), /no answer within 0.1 s/);
    word = Buffer.from([0x81, 2, 0x7b, 0x7d]);
    await probe(`ws://127.0.0.1:${port}/`, 1);
    word = Buffer.from([0x88, 0]);
    await assert.rejects(probe(`ws://127.0.0.1:${port}/`, 1), /sent no text first/);
    server.closeAllConnections();
  });

  it("knows a frame of text from others", () => {
    assert.equal(firstFrame(Buffer.from([0x81])), undefined);
    assert.equal(firstFrame(Buffer.from([0x81, 0])), "text");
    assert.equal(firstFrame(Buffer.from([0x82, 0])), "other");
    assert.equal(firstFrame(Buffer.from([0x01, 0])), "other");
    assert.equal(firstFrame(Buffer.from([0x81, 0x80])), "other");
    assert.equal(firstFrame(Buffer.from([0xc1, 0])), "other");
  });
});
