import { readFile } from "node:fs/promises";
import { join } from "node:path";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { parse } from "yaml";
import { UserError } from "../../../core/error.ts";
import { checkFailure } from "../../common/answers.ts";
import { InitFailedError } from "../../common/init-failed.ts";
import { resourceName } from "../../common/urn.ts";
import {
  ASSET,
  asSecret,
  holdsUnknown,
  isMap,
  isSecret,
  properties,
  reveal,
  signatureOf,
  UNKNOWN,
  type Value,
  type WireMap,
  type WireValue,
} from "../../common/wire.ts";
import { diffResponse } from "../answers.ts";
import { objectOf, redact, secretTexts, withSecrets } from "../checkpoint.ts";
import type { Cluster } from "../cluster.ts";
import { differences } from "../diff.ts";
import { digits } from "../naming.ts";
import { isObject, type KubernetesObject, parseId, textAt } from "../object.ts";
import { prune } from "../prune.ts";
import { isNewest, movingImages } from "./manifest.ts";
import type { Helm } from "./program.ts";
import {
  applyRelease,
  chartVersion,
  driftedObjects,
  nameOf,
  type ReleaseAround,
  ReleaseFailedError,
  readRelease,
  refuseCredentials,
  removeRelease,
  tryRender,
} from "./release.ts";

/** The one type that helm serves. */
export const RELEASE = "kubernetes:helm.sh/v3:Release";

const INPUTS = "__inputs";
/** Of a release's states those that say that it is what it was to be (helm.sh/docs/helm/helm_status). */
const SERVED = ["deployed", "superseded"];
/** What a refresh found that is not as the chart says; with the next update it is gone. */
const DRIFT = "__drift";

export interface ReleasesOptions {
  readonly helm: Helm;
  readonly cluster: Cluster;
  /** Files of values are relative to it. */
  readonly directory: string;
  readonly status: (urn: string, line: string, isLast?: boolean) => void;
  readonly warn: (urn: string, line: string) => void;
}

/** Helm releases as Pulumi's resources: inputs that helm gets, outputs that it says. */
export class Releases {
  private readonly options: ReleasesOptions;

  constructor(options: ReleasesOptions) {
    this.options = options;
  }

  async check(request: provider.CheckRequest): Promise<provider.CheckResponse> {
    const { helm, cluster } = this.options;
    const news = properties(request.getNews());
    const before = objectOf(properties(request.getOlds()));
    const given = withoutNulls(objectOf(await this.withFiles(news)));
    const inputs: KubernetesObject = {
      timeout: 300,
      ...given,
      name:
        given.name ??
        (textAt(before, "name") || `${resourceName(request.getUrn())}-${digits(request.getRandomseed_asU8())}`),
      namespace: given.namespace ?? (await cluster.defaultNamespace().catch(() => "default")),
    };
    const response = new provider.CheckResponse();
    try {
      refuseCredentials(inputs);
      const { chart, version, repositoryOpts } = inputs;
      if (![chart, version, repositoryOpts].some(holdsUnknown)) inputs.version = await chartVersion(inputs, helm);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      response.addFailures(checkFailure({ property: "chart", reason: `${error.message}; ${error.fix}` }));
    }
    response.setInputs(struct.Struct.fromJavaScript(withSecrets(inputs, news)));
    return response;
  }

  /** Values of files, under those that the program gives. */
  private async withFiles({ valueYamlFiles, values, ...rest }: WireMap): Promise<WireMap> {
    if (!Array.isArray(valueYamlFiles)) return values === undefined ? rest : { ...rest, values };
    let merged: KubernetesObject = {};
    for (const file of valueYamlFiles) {
      const content: unknown = parse(await this.contentOf(file));
      if (isObject(content as Value)) merged = merge(merged, content as KubernetesObject);
    }
    const own = reveal(values);
    return { ...rest, values: merge(merged, isObject(own) ? own : {}) as WireValue };
  }

  private async contentOf(file: WireValue): Promise<string> {
    if (signatureOf(file) !== ASSET || !isMap(file))
      throw new UserError("valueYamlFiles: expected files or texts", "write new pulumi.asset.FileAsset(path)");
    if (typeof file.text === "string" && file.text !== "") return file.text;
    if (typeof file.path === "string" && file.path !== "")
      return await readFile(join(this.options.directory, file.path), "utf8");
    throw new UserError("valueYamlFiles: expected files or texts", "write new pulumi.asset.FileAsset(path)");
  }

  async diff(request: provider.DiffRequest): Promise<provider.DiffResponse> {
    const { inputs: before, outputs } = parseRelease(properties(request.getOlds()));
    const inputs = objectOf(properties(request.getNews()));
    const found = differences({
      live: prune(outputs, before),
      inputs,
      immutable: ["name", "namespace"],
      ignored: request.getIgnorechangesList(),
    });
    // Put back by helm's upgrade, which sets what its manifest says.
    if (Array.isArray(outputs[DRIFT])) found.push({ path: "resourceNames", kind: "update", replaces: false });
    return diffResponse(found);
  }

  async create(request: provider.CreateRequest): Promise<provider.CreateResponse> {
    const marked = properties(request.getProperties());
    const response = new provider.CreateResponse();
    const outputs = await this.apply("install", request.getUrn(), marked, request.getPreview());
    const { namespace, name } = nameOf(objectOf(marked));
    if (!request.getPreview()) response.setId(`${namespace}/${name}`);
    response.setProperties(struct.Struct.fromJavaScript(outputs));
    return response;
  }

  async update(request: provider.UpdateRequest): Promise<provider.UpdateResponse> {
    const response = new provider.UpdateResponse();
    const outputs = await this.apply("upgrade", request.getUrn(), properties(request.getNews()), request.getPreview());
    response.setProperties(struct.Struct.fromJavaScript(outputs));
    return response;
  }

  private async apply(how: "install" | "upgrade", urn: string, marked: WireMap, preview: boolean): Promise<WireMap> {
    const inputs = objectOf(marked);
    const secrets = secretTexts(marked);
    try {
      await this.checkImages(urn, inputs, preview, secrets);
      if (preview) return writeRelease(inputs, { status: UNKNOWN, resourceNames: UNKNOWN }, marked);
      return writeRelease(inputs, await applyRelease(how, inputs, this.around(urn)), marked);
    } catch (error) {
      if (error instanceof UserError)
        throw new UserError(redact(error.message, secrets), this.options.cluster.named(error.fix));
      if (!(error instanceof ReleaseFailedError)) throw error;
      const message = redact(error.message, secrets);
      if (error.outputs === undefined) throw new ReleaseFailedError(message, undefined);
      const { namespace, name } = nameOf(inputs);
      throw new InitFailedError(message, {
        id: `${namespace}/${name}`,
        state: writeRelease(inputs, error.outputs, marked),
      });
    }
  }

  /** Warns of images that are others tomorrow. @throws UserError for `latest`, and in a preview for a chart that does not render */
  private async checkImages(
    urn: string,
    inputs: KubernetesObject,
    preview: boolean,
    secrets: readonly string[],
  ): Promise<void> {
    if (holdsUnknown(inputs)) return;
    const rendered = await tryRender(inputs, this.options.helm).catch((error: unknown) => {
      // The real thing may know more than a rendering without the cluster.
      if (preview || !(error instanceof UserError)) throw error;
      return "";
    });
    const moving = movingImages(rendered);
    const newest = moving.filter(isNewest);
    const { namespace, name } = nameOf(inputs);
    if (newest.length > 0)
      throw new UserError(
        [`release ${namespace}/${name} would run the newest of an image:`, ...newest].join("\n  "),
        "name a version or a digest in the chart's values",
      );
    for (const line of moving) this.options.warn(urn, redact(line, secrets));
  }

  async read(request: provider.ReadRequest): Promise<provider.ReadResponse> {
    const state = properties(request.getProperties());
    const known = parseRelease(state).inputs;
    const isImport = Object.keys(known).length === 0;
    const id = parseId(request.getId());
    const release = isImport ? { ...id, chart: "" } : nameOf(known);
    await this.options.cluster.reach();
    const outputs = await readRelease(release, this.options.helm);
    const response = new provider.ReadResponse();
    if (outputs === undefined) return response; // an empty id says that it is gone
    const { status, resourceNames: _, ...rest } = outputs;
    const inputs: KubernetesObject = isImport
      ? { ...rest, chart: isObject(status) ? (status.chart ?? "") : "", timeout: 300 }
      : known;
    const marked = isImport ? {} : openInputs(state);
    const drift = isImport ? [] : await driftedObjects(release, this.around(request.getUrn()));
    if (drift.length > 0)
      this.options.warn(
        request.getUrn(),
        `not as the chart says, and put back by the next update: ${drift.join("; ")}`,
      );
    const seen = drift.length === 0 ? outputs : { ...outputs, [DRIFT]: drift };
    const how = isObject(status) ? textAt(status, "status") : "";
    if (!isImport && !SERVED.includes(how))
      throw new InitFailedError(
        `release ${release.namespace}/${release.name} is ${how}: not what was asked for; the next update tries again`,
        {
          id: request.getId(),
          ...{ state: writeRelease(inputs, seen, marked), inputs: withSecrets(inputs, marked) },
        },
      );
    response.setId(request.getId());
    response.setProperties(struct.Struct.fromJavaScript(writeRelease(inputs, seen, marked)));
    response.setInputs(struct.Struct.fromJavaScript(withSecrets(inputs, marked)));
    return response;
  }

  async delete(request: provider.DeleteRequest): Promise<empty.Empty> {
    const { inputs } = parseRelease(properties(request.getProperties()));
    await removeRelease(inputs, this.around(request.getUrn()));
    return new empty.Empty();
  }

  private around(urn: string): ReleaseAround {
    const { helm, cluster, status } = this.options;
    return { helm, cluster, status: (line, isLast) => status(urn, line, isLast) };
  }
}

/** A state: inputs and outputs side by side, and the inputs again, as they were given, as a secret. */
function writeRelease(inputs: KubernetesObject, outputs: KubernetesObject, marked: WireMap): WireMap {
  return { ...withSecrets({ ...inputs, ...outputs }, marked), [INPUTS]: asSecret(withSecrets(inputs, marked)) };
}

function parseRelease(state: WireMap): { readonly inputs: KubernetesObject; readonly outputs: KubernetesObject } {
  const { [INPUTS]: _, ...outputs } = state;
  return { inputs: objectOf(openInputs(state)), outputs: objectOf(outputs) };
}

function openInputs({ [INPUTS]: inputs }: WireMap): WireMap {
  const opened = isSecret(inputs) ? inputs.value : inputs;
  return isMap(opened) ? opened : {};
}

function withoutNulls(object: KubernetesObject): KubernetesObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}

/** Maps are merged, all else of the second goes before the first, as helm does it with files of values. */
export function merge(first: KubernetesObject, second: KubernetesObject): KubernetesObject {
  const merged = { ...first };
  for (const [key, value] of Object.entries(second)) {
    const before = merged[key];
    merged[key] = isObject(before) && isObject(value) ? merge(before, value) : value;
  }
  return merged;
}
