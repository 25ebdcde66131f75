import { randomBytes } from "node:crypto";
import { status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { checkFailure, configured, handshake, pluginInfo, propertyDiff, topOf, unchanged } from "../common/answers.ts";
import { Calls, StatusError } from "../common/calls.ts";
import { diff, same } from "../common/diff.ts";
import type { EngineLog } from "../common/enginelog.ts";
import { resourceName, typeToken } from "../common/urn.ts";
import type { Values } from "../common/values.ts";
import { holdsUnknown, properties, reveal, UNKNOWN_TEXT, type WireMap } from "../common/wire.ts";
import { CommandFailure } from "./failure.ts";
import { type Failure, findFailures, markSecrets, prepare, summary } from "./fields.ts";
import { LOCAL_RUN } from "./inputs.ts";
import { localCommand, localRun } from "./local/command.ts";
import type { Call, Outputs, ResourceType } from "./resource.ts";

/** Of the official provider that this one stands in for; that of the npm package @pulumi/command. */
const VERSION = "1.2.1";

export interface CommandProviderOptions {
  readonly log: EngineLog;
  readonly schema: () => Promise<string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The project's directory: commands run here unless they say otherwise. */
  readonly directory: string;
}

/** Types by their token; what needs ssh is loaded when a program first uses it. */
const TYPES: Readonly<Record<string, () => Promise<ResourceType>>> = {
  "command:local:Command": async () => localCommand,
  "command:remote:Command": async () => (await import("./remote/command.ts")).remoteCommand,
  "command:remote:CopyToRemote": async () => (await import("./remote/copy-to-remote.ts")).copyToRemoteType,
};

/** Inputs of which a change calls for a new resource. */
const REPLACING: ReadonlySet<string> = new Set(["triggers"]);

/** The methods of Pulumi's ResourceProvider service, as the official command provider answers them. */
export class CommandProvider {
  readonly calls = new Calls();
  private readonly options: CommandProviderOptions;

  constructor(options: CommandProviderOptions) {
    this.options = options;
  }

  /** For grpc-js' `Server.addService`. */
  implementation(): UntypedServiceImplementation {
    const { calls } = this;
    return {
      handshake: calls.unary(async () => handshake()),
      getPluginInfo: calls.unary(async () => pluginInfo(VERSION)),
      getSchema: calls.unary(async () => this.schema()),
      checkConfig: calls.unary(async (request: provider.CheckRequest) => unchanged(request)),
      diffConfig: calls.unary(async () => new provider.DiffResponse()),
      configure: calls.unary(async () => configured()),
      check: calls.unary((request: provider.CheckRequest) => this.check(request)),
      diff: calls.unary((request: provider.DiffRequest) => this.diff(request)),
      create: calls.unary((request: provider.CreateRequest) => this.told(this.create(request))),
      read: calls.unary(async (request: provider.ReadRequest) => read(request)),
      update: calls.unary((request: provider.UpdateRequest) => this.told(this.update(request))),
      delete: calls.unary((request: provider.DeleteRequest) => this.told(this.delete(request))),
      invoke: calls.unary((request: provider.InvokeRequest) => this.told(this.invoke(request))),
      cancel: calls.unary(async () => {
        calls.cancel();
        return new empty.Empty();
      }),
    };
  }

  private async schema(): Promise<provider.GetSchemaResponse> {
    const response = new provider.GetSchemaResponse();
    response.setSchema(await this.options.schema());
    return response;
  }

  private async check(request: provider.CheckRequest): Promise<provider.CheckResponse> {
    const type = await typeOf(request.getUrn());
    const news = properties(request.getNews());
    const failures = findFailures(type.inputs, news);
    const inputs = failures.length > 0 ? markSecrets(type.inputs, news) : prepare(type.inputs, news);
    const response = new provider.CheckResponse();
    response.setInputs(struct.Struct.fromJavaScript(inputs));
    response.setFailuresList([...failures, ...type.check(news)].map(failure));
    return response;
  }

  private async diff(request: provider.DiffRequest): Promise<provider.DiffResponse> {
    await typeOf(request.getUrn());
    const olds = comparable(properties(request.getOldInputs()));
    const news = keep(request.getIgnorechangesList(), properties(request.getOlds()), properties(request.getNews()));
    const response = new provider.DiffResponse();
    const found = diff(olds, comparable(news));
    const { DiffChanges } = provider.DiffResponse;
    response.setChanges(found.size === 0 ? DiffChanges.DIFF_NONE : DiffChanges.DIFF_SOME);
    response.setHasdetaileddiff(true);
    for (const [path, kind] of found) {
      const replaces = REPLACING.has(path);
      response.getDetaileddiffMap().set(path, propertyDiff(kind, replaces));
      if (replaces) response.addReplaces(path);
    }
    response.setDiffsList([...new Set([...found.keys()].map(topOf))]);
    return response;
  }

  private async create(request: provider.CreateRequest): Promise<provider.CreateResponse> {
    const urn = request.getUrn();
    const type = await typeOf(urn);
    const inputs = withoutNulls(properties(request.getProperties()));
    const wrong = findFailures(type.inputs, inputs);
    if (wrong.length > 0) throw new CommandFailure(`invalid inputs: ${summary(wrong)}`);
    const response = new provider.CreateResponse();
    response.setId(`${type.prefix(resourceName(urn))}${randomBytes(4).toString("hex")}`);
    const outputs: Outputs = request.getPreview()
      ? Object.fromEntries(certain(type).map((name) => [name, UNKNOWN_TEXT]))
      : await type.create(values(inputs), this.call(urn));
    response.setProperties(state(inputs, outputs));
    return response;
  }

  private async update(request: provider.UpdateRequest): Promise<provider.UpdateResponse> {
    const urn = request.getUrn();
    const type = await typeOf(urn);
    const olds = properties(request.getOlds());
    const news = keep(request.getIgnorechangesList(), olds, properties(request.getNews()));
    const inputs = withoutNulls(news);
    const wrong = findFailures(type.inputs, inputs);
    if (wrong.length > 0) throw new CommandFailure(summary(wrong));
    const before = Object.fromEntries(
      type.outputs.flatMap((name) => (olds[name] === undefined ? [] : [[name, olds[name]]])),
    );
    const outputs: Outputs = request.getPreview()
      ? changes(type, olds, inputs)
        ? Object.fromEntries(Object.keys(before).map((name) => [name, UNKNOWN_TEXT]))
        : {}
      : await type.update(values(inputs), values(olds), this.call(urn));
    const response = new provider.UpdateResponse();
    response.setProperties(state(inputs, { ...before, ...defined(outputs) }));
    return response;
  }

  private async delete(request: provider.DeleteRequest): Promise<empty.Empty> {
    const urn = request.getUrn();
    const type = await typeOf(urn);
    await type.delete(values(properties(request.getProperties())), this.call(urn));
    return new empty.Empty();
  }

  private async invoke(request: provider.InvokeRequest): Promise<provider.InvokeResponse> {
    const token = request.getTok();
    if (token !== "command:local:run")
      throw new StatusError(status.NOT_FOUND, `Invoke '${token.replace(/^command:/, "")}' not found`);
    const args = withoutNulls(properties(request.getArgs()));
    const failures = findFailures(LOCAL_RUN, args);
    const response = new provider.InvokeResponse();
    if (failures.length > 0) response.setFailuresList(failures.map(failure));
    else response.setReturn(state(args, await localRun(values(args), this.call(""))));
    return response;
  }

  /** Answers when the engine has heard all that a command said. */
  private async told<T>(work: Promise<T>): Promise<T> {
    return await work.finally(() => this.options.log.flush());
  }

  private call(urn: string): Call {
    const { log, environment, directory } = this.options;
    return {
      name: resourceName(urn),
      signal: this.calls.signal,
      environment,
      directory,
      line: (text) => log.line(urn, text),
      log: (severity, text) => log.send(urn, severity, text),
    };
  }
}

async function typeOf(urn: string): Promise<ResourceType> {
  const token = typeToken(urn);
  const load = TYPES[token];
  if (load === undefined)
    throw new StatusError(status.NOT_FOUND, `Resource '${token.replace(/^command:/, "")}' not found`);
  return await load();
}

/** A refresh finds what was there: nobody asks the command what it did. */
function read(request: provider.ReadRequest): provider.ReadResponse {
  const response = new provider.ReadResponse();
  response.setId(request.getId());
  response.setProperties(request.getProperties());
  response.setInputs(request.getInputs());
  return response;
}

/** Outputs that every resource of the type has. */
function certain({ outputs }: ResourceType): readonly string[] {
  return outputs.filter((name) => name === "stdout" || name === "stderr");
}

/** True when an update will do something, or may. */
function changes({ inputs }: ResourceType, state: WireMap, news: WireMap): boolean {
  return Object.keys(inputs.of).some(
    (name) => holdsUnknown(reveal(news[name])) || !same(news[name] ?? null, state[name] ?? null),
  );
}

function state(inputs: WireMap, outputs: Outputs): struct.Struct {
  return struct.Struct.fromJavaScript({ ...inputs, ...defined(outputs) });
}

function defined(outputs: Outputs): WireMap {
  return Object.fromEntries(Object.entries(outputs).flatMap(([k, v]) => (v === undefined ? [] : [[k, v]])));
}

function withoutNulls(map: WireMap): WireMap {
  return Object.fromEntries(Object.entries(map).filter(([, value]) => value !== null));
}

/** What the engine adds for itself is no input. */
function comparable(map: WireMap): WireMap {
  return Object.fromEntries(Object.entries(map).filter(([key]) => key !== "version" && !key.startsWith("__")));
}

/** New inputs with the old state's values where changes are to be ignored. */
function keep(ignored: readonly string[], state: WireMap, news: WireMap): WireMap {
  const kept = ignored.flatMap((key) => (state[key] === undefined ? [] : [[key, state[key]] as const]));
  return { ...news, ...Object.fromEntries(kept) };
}

function values(map: WireMap): Values {
  return reveal(map) as Values;
}

function failure([property, reason]: Failure): provider.CheckFailure {
  return checkFailure({ property, reason });
}
