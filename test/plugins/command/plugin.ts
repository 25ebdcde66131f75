import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { credentials, Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb.js";
import service, { type ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";

/** How the engine's protocol marks values: sdk/go/common/resource/sig.go and sdk/go/common/resource/plugin of Pulumi. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export type Properties = Record<string, struct.JavaScriptValue>;
export const secret = (value: struct.JavaScriptValue) => ({
  [SIGNATURE]: "1b47061264138c4ac30d75fd1eb44270",
  value,
});
export const fileAsset = (path: string, hash = "") => ({
  [SIGNATURE]: "c44067f5952c0a294b673a41bacd8c17",
  hash,
  path,
});
export const stringAsset = (text: string, hash = "") => ({
  [SIGNATURE]: "c44067f5952c0a294b673a41bacd8c17",
  hash,
  text,
});
export const fileArchive = (path: string, hash = "") => ({
  [SIGNATURE]: "0def7320c3a5731c473e5ecbe6d01bc7",
  hash,
  path,
});

/** What `Diff` said: path to the change's kind. */
export type Diff = Record<string, string>;

const KINDS = ["add", "add-replace", "delete", "delete-replace", "update", "update-replace"];

/**
 * The command plugin as the engine runs it: a process, its port on standard output, gRPC.
 *
 * KEELSON_TEST_COMMAND_PLUGIN names another plugin's executable, the official one's, which the same tests then hold for.
 */
export class Plugin {
  readonly process: ChildProcess;
  readonly client: ResourceProviderClient;
  /** What it told the engine, oldest first. @example { severity: 1, message: "Dial 1/10 failed: retrying", ephemeral: true } */
  readonly logs: { severity: number; message: string; ephemeral: boolean }[];
  private readonly engine: Server;

  private constructor(process: ChildProcess, client: ResourceProviderClient, engine: Server, logs: Plugin["logs"]) {
    this.process = process;
    this.client = client;
    this.engine = engine;
    this.logs = logs;
  }

  static async start(directory: string, environment: Record<string, string> = {}): Promise<Plugin> {
    const logs: Plugin["logs"] = [];
    const engine = new Server();
    engine.addService(engineService.EngineService, {
      log: (call: ServerUnaryCall<LogRequest, empty.Empty>, done: sendUnaryData<empty.Empty>) => {
        const { request } = call;
        logs.push({
          severity: request.getSeverity(),
          message: request.getMessage(),
          ephemeral: request.getEphemeral(),
        });
        done(null, new empty.Empty());
      },
    });
    const engineAt = await new Promise<number>((resolve, reject) => {
      engine.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    const own = join(import.meta.dirname, "../../../plugins/command/pulumi-resource-command");
    const { SSH_AUTH_SOCK: _, ...inherited } = process.env;
    const child = spawn(process.env.KEELSON_TEST_COMMAND_PLUGIN ?? own, [`127.0.0.1:${engineAt}`], {
      cwd: directory,
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...inherited, KEELSON_NODE: process.execPath, PULUMI_HOME: directory, ...environment },
    });
    assert.ok(child.stdout);
    const [port] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    const client = new service.ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
    const plugin = new Plugin(child, client, engine, logs);
    const configure = new provider.ConfigureRequest();
    configure.setAcceptsecrets(true);
    configure.setAcceptresources(true);
    configure.setSendsOldInputs(true);
    configure.setSendsOldInputsToDelete(true);
    await plugin.ask<provider.ConfigureResponse>("configure", configure);
    return plugin;
  }

  async stop(): Promise<void> {
    this.client.close();
    this.engine.forceShutdown();
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill("SIGKILL");
    await once(this.process, "exit");
  }

  async check(type: string, inputs: Properties): Promise<{ inputs: Properties; failures: [string, string][] }> {
    const request = new provider.CheckRequest();
    request.setUrn(urn(type));
    request.setNews(struct.Struct.fromJavaScript(inputs));
    const answer = await this.ask<provider.CheckResponse>("check", request);
    return {
      inputs: properties(answer.getInputs()),
      failures: answer.getFailuresList().map((f) => [f.getProperty(), f.getReason()]),
    };
  }

  async diff(type: string, oldInputs: Properties, state: Properties, inputs: Properties): Promise<Diff> {
    const request = new provider.DiffRequest();
    request.setUrn(urn(type));
    request.setId("id");
    request.setOldInputs(struct.Struct.fromJavaScript(oldInputs));
    request.setOlds(struct.Struct.fromJavaScript(state));
    request.setNews(struct.Struct.fromJavaScript(inputs));
    const answer = await this.ask<provider.DiffResponse>("diff", request);
    const found: Diff = {};
    answer.getDetaileddiffMap().forEach((detail: provider.PropertyDiff, path: string) => {
      found[path] = KINDS[detail.getKind()] ?? "?";
    });
    const some = answer.getChanges() === provider.DiffResponse.DiffChanges.DIFF_SOME;
    assert.equal(some, Object.keys(found).length > 0, "a diff has details");
    return found;
  }

  async create(type: string, inputs: Properties, preview = false): Promise<{ id: string; state: Properties }> {
    const request = new provider.CreateRequest();
    request.setUrn(urn(type));
    request.setProperties(struct.Struct.fromJavaScript(inputs));
    request.setPreview(preview);
    const answer = await this.ask<provider.CreateResponse>("create", request);
    return { id: answer.getId(), state: properties(answer.getProperties()) };
  }

  async update(
    type: string,
    oldInputs: Properties,
    state: Properties,
    inputs: Properties,
    preview = false,
  ): Promise<Properties> {
    const request = new provider.UpdateRequest();
    request.setUrn(urn(type));
    request.setId("id");
    request.setOldInputs(struct.Struct.fromJavaScript(oldInputs));
    request.setOlds(struct.Struct.fromJavaScript(state));
    request.setNews(struct.Struct.fromJavaScript(inputs));
    request.setPreview(preview);
    return properties((await this.ask<provider.UpdateResponse>("update", request)).getProperties());
  }

  async delete(type: string, inputs: Properties, state: Properties): Promise<void> {
    const request = new provider.DeleteRequest();
    request.setUrn(urn(type));
    request.setId("id");
    request.setOldInputs(struct.Struct.fromJavaScript(inputs));
    request.setProperties(struct.Struct.fromJavaScript(state));
    await this.ask<empty.Empty>("delete", request);
  }

  async read(
    type: string,
    inputs: Properties,
    state: Properties,
  ): Promise<{ id: string; state: Properties; inputs: Properties }> {
    const request = new provider.ReadRequest();
    request.setUrn(urn(type));
    request.setId("id");
    request.setInputs(struct.Struct.fromJavaScript(inputs));
    request.setProperties(struct.Struct.fromJavaScript(state));
    const answer = await this.ask<provider.ReadResponse>("read", request);
    return { id: answer.getId(), state: properties(answer.getProperties()), inputs: properties(answer.getInputs()) };
  }

  async invoke(token: string, args: Properties): Promise<{ result: Properties; failures: [string, string][] }> {
    const request = new provider.InvokeRequest();
    request.setTok(token);
    request.setArgs(struct.Struct.fromJavaScript(args));
    const answer = await this.ask<provider.InvokeResponse>("invoke", request);
    return {
      result: properties(answer.getReturn()),
      failures: answer.getFailuresList().map((f) => [f.getProperty(), f.getReason()]),
    };
  }

  async schema(): Promise<Record<string, unknown>> {
    const answer = await this.ask<provider.GetSchemaResponse>("getSchema", new provider.GetSchemaRequest());
    return JSON.parse(answer.getSchema());
  }

  ask<Answer>(method: keyof ResourceProviderClient, request: unknown): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const call = this.client[method] as (request: unknown, done: (e: Error | null, a: Answer) => void) => void;
      call.call(this.client, request, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  }
}

function urn(type: string): string {
  return `urn:pulumi:dev::p::${type}::name`;
}

function properties(message: struct.Struct | undefined): Properties {
  return message?.toJavaScript() ?? {};
}
