import assert from "node:assert/strict";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import service from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type engine from "@pulumi/pulumi/proto/engine_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import sinon from "sinon";
import { EngineLog } from "../../../plugins/common/enginelog.ts";

describe("EngineLog", () => {
  let server: Server;
  let address: string;
  let got: string[];

  beforeEach(async () => {
    got = [];
    server = new Server();
    server.addService(service.EngineService, {
      log: (call: { request: engine.LogRequest }, callback: (error: null, answer: empty.Empty) => void) => {
        const { urn, severity, message, ephemeral } = call.request.toObject();
        got.push(`${urn} ${severity} ${ephemeral ? "ephemeral " : ""}${message}`);
        callback(null, new empty.Empty());
      },
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, p) =>
        error ? reject(error) : resolve(p),
      );
    });
    address = `127.0.0.1:${port}`;
  });
  afterEach(async () => {
    sinon.restore();
    for (const log of logs.splice(0)) await log.close();
    server.forceShutdown();
  });

  const logs: EngineLog[] = [];
  const open = (where: string | undefined, display: "live" | "plain") => {
    const log = new EngineLog(where, display);
    logs.push(log);
    return log;
  };

  it("ends with a last line where one stands that says something else", async () => {
    const log = open(address, "plain");
    log.status("a", "0 of 2");
    log.end("a", "2 of 2");
    log.end("a", "2 of 2, again");
    log.end("b", "never began");
    await log.flush();
    assert.deepEqual(got, ["a 1 ephemeral 0 of 2", "a 1 ephemeral 2 of 2"]);
  });

  it("sends lines in order, each beside its resource", async () => {
    const log = open(address, "live");
    log.send("a", "info", "one");
    log.send("b", "warning", "two");
    log.status("a", "three");
    await log.flush();
    assert.deepEqual(got, ["a 1 one", "b 2 two", "a 1 ephemeral three"]);
  });

  it("drops status lines that come too fast, per resource, and those that say nothing new", async () => {
    const now = sinon.stub(performance, "now");
    const log = open(address, "plain");
    for (const [at, urn, message] of [
      [0, "a", "1"],
      [100, "a", "2"],
      [100, "b", "1"],
      [9_999, "a", "3"],
      [10_000, "a", "4"],
      [30_000, "a", "4"],
    ] as const) {
      now.returns(at);
      log.status(urn, message);
    }
    now.restore();
    await log.flush();
    assert.deepEqual(got, ["a 1 ephemeral 1", "b 1 ephemeral 1", "a 1 ephemeral 4"]);
  });

  it("fails nothing where no engine listens", async () => {
    server.forceShutdown();
    for (const where of [undefined, "127.0.0.1:1"]) {
      const log = open(where, "live");
      log.send("a", "info", "lost");
      await log.flush();
    }
    assert.deepEqual(got, []);
  });
});
