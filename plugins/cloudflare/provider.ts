import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import type struct from "google-protobuf/google/protobuf/struct_pb.js";
import { UserError } from "../../core/error.ts";
import * as answers from "../common/answers.ts";
import { Calls } from "../common/calls.ts";
import { diff } from "../common/diff.ts";
import { typeToken } from "../common/urn.ts";
import { findFailures, readInputs } from "../common/validate.ts";
import type { Values } from "../common/values.ts";
import { decode, encode, UNKNOWN } from "../common/wire.ts";
import { Api } from "./api.ts";
import type { ResourceType } from "./resource.ts";

/** Of the official provider that this one stands in for; that of the npm package @pulumi/cloudflare. */
const VERSION = "6.22.1";

/** Types by their token, each loaded when a program first uses it. */
const TYPES: Readonly<Record<string, () => Promise<ResourceType>>> = {
  "cloudflare:index/r2Bucket:R2Bucket": async () => (await import("./bucket.ts")).bucketType,
  "cloudflare:index/r2BucketLifecycle:R2BucketLifecycle": async () => (await import("./rules.ts")).lifecycleType,
  "cloudflare:index/r2BucketLock:R2BucketLock": async () => (await import("./rules.ts")).lockType,
  "cloudflare:index/r2BucketCors:R2BucketCors": async () => (await import("./rules.ts")).corsType,
  "cloudflare:index/accountToken:AccountToken": async () => (await import("./token.ts")).tokenType,
};

/** The methods of Pulumi's ResourceProvider service for the resources that keelson uses of Cloudflare's provider. */
export class CloudflareProvider {
  readonly calls = new Calls();
  private api: Api | undefined;

  /** For grpc-js' `Server.addService`. */
  implementation(): UntypedServiceImplementation {
    const { calls } = this;
    return {
      handshake: calls.unary(async () => handshake()),
      getPluginInfo: calls.unary(async () => answers.pluginInfo(VERSION)),
      getSchema: calls.unary(async () => schema()),
      checkConfig: calls.unary(async (request: provider.CheckRequest) => answers.unchanged(request)),
      diffConfig: calls.unary(async () => new provider.DiffResponse()),
      configure: calls.unary(async (request: provider.ConfigureRequest) => this.configure(request)),
      check: calls.unary((request: provider.CheckRequest) => check(request)),
      diff: calls.unary((request: provider.DiffRequest) => diffOf(request)),
      create: calls.unary((request: provider.CreateRequest) => this.create(request)),
      read: calls.unary((request: provider.ReadRequest) => this.read(request)),
      update: calls.unary((request: provider.UpdateRequest) => this.update(request)),
      delete: calls.unary((request: provider.DeleteRequest) => this.delete(request)),
      cancel: calls.unary(async () => {
        calls.cancel();
        return new empty.Empty();
      }),
    };
  }

  private configure(request: provider.ConfigureRequest): provider.ConfigureResponse {
    const { values } = decode(request.getArgs());
    const text = (name: string) => {
      const value = values[name];
      return typeof value === "string" && value !== "" ? { [name]: value } : {};
    };
    this.api = new Api(
      { ...text("apiToken"), ...text("apiKey"), ...text("email"), ...text("baseUrl") },
      this.calls.signal,
    );
    const response = answers.configured();
    response.setAcceptresources(true);
    return response;
  }

  private async create(request: provider.CreateRequest): Promise<provider.CreateResponse> {
    const type = await typeOf(request.getUrn());
    const { values, secretKeys } = decode(request.getProperties());
    const response = new provider.CreateResponse();
    const secrets = new Set([...secretKeys, ...type.secrets]);
    if (request.getPreview()) {
      const unknown = Object.fromEntries(type.outputs.map((name) => [name, UNKNOWN]));
      response.setProperties(encode({ ...unknown, ...values }, secrets));
      return response;
    }
    const { id, outputs } = await type.create(readInputs(type.schema, values), this.opened());
    response.setId(id);
    response.setProperties(encode({ ...values, ...outputs }, secrets));
    return response;
  }

  private async update(request: provider.UpdateRequest): Promise<provider.UpdateResponse> {
    const type = await typeOf(request.getUrn());
    const before = decode(request.getOlds()).values;
    const { values, secretKeys } = decode(request.getNews());
    const kept = Object.fromEntries(type.outputs.map((name) => [name, before[name]]));
    const changed = request.getPreview()
      ? Object.fromEntries(type.changing.map((name) => [name, UNKNOWN]))
      : await type.update(request.getId(), readInputs(type.schema, values), this.opened());
    const response = new provider.UpdateResponse();
    const state = request.getPreview() ? { ...kept, ...changed, ...values } : { ...kept, ...values, ...changed };
    response.setProperties(encode(state, new Set([...secretKeys, ...type.secrets])));
    return response;
  }

  private async read(request: provider.ReadRequest): Promise<provider.ReadResponse> {
    const type = await typeOf(request.getUrn());
    const [inputs, state] = [decode(request.getInputs()), decode(request.getProperties())];
    const imported = Object.keys(inputs.values).length === 0 && Object.keys(state.values).length === 0;
    const { id, values } = imported
      ? type.parseImport(request.getId())
      : { id: request.getId(), values: { ...state.values, ...inputs.values } };
    const found = await type.read(id, values, this.opened());
    const response = new provider.ReadResponse();
    if (found === undefined) return response; // an empty id says that it is gone
    // What the program doesn't ask for is Cloudflare's to decide: no difference.
    const asked = Object.entries(found.inputs).filter(
      ([key, value]) => value !== undefined && (imported || key in inputs.values),
    );
    const secrets = new Set([...inputs.secretKeys, ...type.secrets]);
    response.setId(found.id);
    response.setInputs(encode(Object.fromEntries(asked), secrets));
    response.setProperties(encode({ ...Object.fromEntries(asked), ...found.outputs }, secrets));
    return response;
  }

  private async delete(request: provider.DeleteRequest): Promise<empty.Empty> {
    const type = await typeOf(request.getUrn());
    await type.delete(request.getId(), decode(request.getProperties()).values, this.opened());
    return new empty.Empty();
  }

  private opened(): Api {
    if (this.api === undefined) throw new Error("the engine has not configured this provider");
    return this.api;
  }
}

async function check(request: provider.CheckRequest): Promise<provider.CheckResponse> {
  const type = await typeOf(request.getUrn());
  const response = new provider.CheckResponse();
  response.setInputs(request.getNews());
  response.setFailuresList(findFailures(type.schema, decode(request.getNews()).values).map(answers.checkFailure));
  return response;
}

async function diffOf(request: provider.DiffRequest): Promise<provider.DiffResponse> {
  const type = await typeOf(request.getUrn());
  const found = diff(plain(request.getOldInputs()), plain(request.getNews()));
  const response = new provider.DiffResponse();
  const { DiffChanges } = provider.DiffResponse;
  response.setChanges(found.size === 0 ? DiffChanges.DIFF_NONE : DiffChanges.DIFF_SOME);
  response.setHasdetaileddiff(true);
  const tops = [...new Set([...found.keys()].map(answers.topOf))];
  response.setDiffsList(tops);
  response.setReplacesList(tops.filter((name) => type.replaces.includes(name)));
  response.setDeletebeforereplace(!tops.some((name) => type.identity.includes(name)));
  for (const [path, kind] of found) {
    const detail = answers.propertyDiff(kind, type.replaces.includes(answers.topOf(path)));
    detail.setInputdiff(true);
    response.getDetaileddiffMap().set(path, detail);
  }
  return response;
}

/** Properties without marks of secrets; unknown values stay marked. */
function plain(message: struct.Struct | undefined) {
  const { values } = decode(message);
  const wanted = Object.entries(values).filter(([key, value]) => !key.startsWith("__") && value !== null);
  return encode(Object.fromEntries(wanted) as Values).toJavaScript();
}

async function typeOf(urn: string): Promise<ResourceType> {
  const token = typeToken(urn);
  const load = TYPES[token];
  if (load === undefined)
    throw new UserError(
      `keelson's cloudflare plugin has no ${token}, only ${Object.keys(TYPES).join(", ")}`,
      `install Pulumi's own: pulumi plugin install resource cloudflare ${VERSION}`,
    );
  return await load();
}

function handshake(): provider.ProviderHandshakeResponse {
  const response = answers.handshake();
  response.setAcceptResources(true);
  return response;
}

function schema(): provider.GetSchemaResponse {
  const response = new provider.GetSchemaResponse();
  const resources = Object.fromEntries(Object.keys(TYPES).map((token) => [token, {}]));
  response.setSchema(JSON.stringify({ name: "cloudflare", version: VERSION, resources }));
  return response;
}
