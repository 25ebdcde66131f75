import { status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { checkFailure, configured, handshake, pluginInfo, topOf, unchanged } from "../common/answers.ts";
import { Calls, StatusError } from "../common/calls.ts";
import { EngineLog } from "../common/enginelog.ts";
import { typeToken } from "../common/urn.ts";
import { decode, encode } from "../common/wire.ts";
import type { Call, Previous, ResourceType, Values } from "./resource.ts";

/**
 * A function without a result. Whoever calls it has the engine start this plugin (toolchain/language-host/early.ts), and may announce images
 * (index.ts).
 */
const READY = "keelson:index:ready";

/** Resource types by their token; each is loaded when a program first uses it. */
export type ResourceTypes = Readonly<Record<string, () => Promise<ResourceType>>>;

export interface ProviderOptions {
  readonly version: string;
  /** Address of the engine's own service, for logs; undefined: logs go nowhere. */
  readonly engine: string | undefined;
  /** Whether people watch on a terminal, or a log is written. */
  readonly display: "live" | "plain";
  readonly root: string;
  readonly types: ResourceTypes;
  readonly schema: () => Promise<string>;
  /** Called when the engine has been answered all that it asks before it goes on: what takes long to load is loaded then. */
  readonly greeted?: () => void;
  /** Called by the function that a program or its language host calls early, with what they say. Must not throw. */
  readonly ready?: (values: Values) => void;
}

/**
 * The methods of Pulumi's ResourceProvider service, from gRPC messages to resource types and back. Methods that are not
 * here answer "unimplemented", which the engine expects of providers without them.
 */
export class Provider {
  readonly log: EngineLog;
  private readonly options: ProviderOptions;
  readonly calls = new Calls();

  constructor(options: ProviderOptions) {
    this.options = options;
    this.log = new EngineLog(options.engine, options.display);
  }

  /** For grpc-js' `Server.addService`. */
  implementation(): UntypedServiceImplementation {
    return {
      handshake: this.calls.unary(async () => handshake()),
      getPluginInfo: this.calls.unary(async () => pluginInfo(this.options.version)),
      getSchema: this.calls.unary(async () => this.schema()),
      checkConfig: this.calls.unary(async (request: provider.CheckRequest) => unchanged(request)),
      diffConfig: this.calls.unary(async () => noDiff()),
      configure: this.calls.unary(async () => this.configure()),
      check: this.calls.unary((request: provider.CheckRequest) => this.check(request)),
      diff: this.calls.unary((request: provider.DiffRequest) => this.diff(request)),
      create: this.calls.unary((request: provider.CreateRequest) => this.create(request)),
      read: this.calls.unary((request: provider.ReadRequest) => this.read(request)),
      update: this.calls.unary((request: provider.UpdateRequest) => this.update(request)),
      delete: this.calls.unary((request: provider.DeleteRequest) => this.delete(request)),
      invoke: this.calls.unary((request: provider.InvokeRequest) => this.invoke(request)),
      cancel: this.calls.unary(async () => {
        this.calls.cancel();
        return new empty.Empty();
      }),
    };
  }

  private configure(): provider.ConfigureResponse {
    // After the answer is on its way.
    setImmediate(() => this.options.greeted?.());
    return configured();
  }

  private async schema(): Promise<provider.GetSchemaResponse> {
    const response = new provider.GetSchemaResponse();
    response.setSchema(await this.options.schema());
    return response;
  }

  private async check(request: provider.CheckRequest): Promise<provider.CheckResponse> {
    const type = await this.type(request.getUrn());
    const { values } = decode(request.getNews());
    const { failures, additions = {} } = await type.check(values, this.call(request.getUrn()));
    const response = new provider.CheckResponse();
    const inputs = request.getNews() ?? new struct.Struct();
    for (const [key, value] of Object.entries(additions))
      inputs.getFieldsMap().set(key, struct.Value.fromJavaScript(value));
    response.setInputs(inputs);
    response.setFailuresList(failures.map(checkFailure));
    return response;
  }

  private async diff(request: provider.DiffRequest): Promise<provider.DiffResponse> {
    const type = await this.type(request.getUrn());
    const previous = previousOf(request.getOldInputs(), request.getOlds());
    const changes = await type.diff(previous, decode(request.getNews()).values, this.call(request.getUrn()));
    const response = noDiff();
    if (changes.length === 0) return response;
    response.setChanges(provider.DiffResponse.DiffChanges.DIFF_SOME);
    response.setHasdetaileddiff(true);
    const tops = [...new Set(changes.map(({ path }) => topOf(path)))];
    const replaces = (path: string) => type.replaces?.includes(topOf(path)) === true;
    response.setDiffsList(tops);
    response.setReplacesList(tops.filter(replaces));
    response.setDeletebeforereplace(tops.some(replaces));
    for (const { path, of } of changes) {
      const { Kind } = provider.PropertyDiff;
      const detail = new provider.PropertyDiff();
      detail.setKind(replaces(path) ? Kind.UPDATE_REPLACE : Kind.UPDATE);
      detail.setInputdiff(of === "inputs");
      response.getDetaileddiffMap().set(path, detail);
    }
    return response;
  }

  private async create(request: provider.CreateRequest): Promise<provider.CreateResponse> {
    const type = await this.type(request.getUrn());
    const inputs = decode(request.getProperties()).values;
    const call = this.call(request.getUrn());
    const response = new provider.CreateResponse();
    if (request.getPreview()) {
      response.setProperties(encode(await type.preview(inputs, undefined, call)));
      return response;
    }
    const { id, state } = await type.apply(inputs, undefined, call);
    response.setId(id);
    response.setProperties(encode(state));
    return response;
  }

  private async update(request: provider.UpdateRequest): Promise<provider.UpdateResponse> {
    const type = await this.type(request.getUrn());
    const inputs = decode(request.getNews()).values;
    const previous = previousOf(request.getOldInputs(), request.getOlds());
    const call = this.call(request.getUrn());
    const state = request.getPreview()
      ? await type.preview(inputs, previous, call)
      : (await type.apply(inputs, previous, call)).state;
    const response = new provider.UpdateResponse();
    response.setProperties(encode(state));
    return response;
  }

  private async read(request: provider.ReadRequest): Promise<provider.ReadResponse> {
    const type = await this.type(request.getUrn());
    const oldInputs = decode(request.getInputs());
    const imported = Object.keys(oldInputs.values).length === 0;
    const previous = imported ? undefined : previousOf(request.getInputs(), request.getProperties());
    const found = await type.read(request.getId(), previous, this.call(request.getUrn()));
    const response = new provider.ReadResponse();
    if (found === undefined) return response; // an empty id says that it is gone
    response.setId(found.id);
    response.setProperties(encode(found.state));
    response.setInputs(encode(found.inputs, oldInputs.secretKeys));
    return response;
  }

  private async delete(request: provider.DeleteRequest): Promise<empty.Empty> {
    const type = await this.type(request.getUrn());
    await type.delete?.(request.getId(), decode(request.getOldInputs()).values, this.call(request.getUrn()));
    return new empty.Empty();
  }

  private async invoke(request: provider.InvokeRequest): Promise<provider.InvokeResponse> {
    const token = request.getTok();
    if (token !== READY)
      throw new StatusError(status.UNIMPLEMENTED, `this plugin has no function ${JSON.stringify(token)}`);
    this.options.ready?.(decode(request.getArgs()).values);
    const response = new provider.InvokeResponse();
    response.setReturn(new struct.Struct());
    return response;
  }

  private call(urn: string): Call {
    return {
      urn,
      root: this.options.root,
      signal: this.calls.signal,
      log: (severity, message) => this.log.send(urn, severity, message),
      status: (message) => this.log.status(urn, message),
    };
  }

  private async type(urn: string): Promise<ResourceType> {
    const token = typeToken(urn);
    const load = this.options.types[token];
    if (load === undefined) throw new Error(`this plugin has no resource type ${JSON.stringify(token)}`);
    return await load();
  }
}

function previousOf(inputs: struct.Struct | undefined, state: struct.Struct | undefined): Previous {
  return { inputs: decode(inputs).values, state: decode(state).values };
}

function noDiff(): provider.DiffResponse {
  const response = new provider.DiffResponse();
  response.setChanges(provider.DiffResponse.DiffChanges.DIFF_NONE);
  return response;
}
