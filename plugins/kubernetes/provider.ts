import { isDeepStrictEqual } from "node:util";
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { UserError } from "../../core/error.ts";
import { Causes } from "../../core/kubernetes/cause.ts";
import { dataProblem } from "../../core/kubernetes/keeps-data.ts";
import type { Pod } from "../../core/kubernetes/objects.ts";
import { isAtWork, isOwned } from "../../core/kubernetes/pod.ts";
import { judgeJob } from "../../core/kubernetes/readiness.ts";
import { checkFailure, configured, handshake, pluginInfo } from "../common/answers.ts";
import { Calls } from "../common/calls.ts";
import type { EngineLog } from "../common/enginelog.ts";
import { InitFailedError } from "../common/init-failed.ts";
import { resourceName, typeToken } from "../common/urn.ts";
import { asSecret, decode, holdsUnknown, properties, UNKNOWN, type WireMap } from "../common/wire.ts";
import { diffResponse } from "./answers.ts";
import { OutageError, RefusedError } from "./call.ts";
import {
  keptServed,
  objectOf,
  parseCheckpoint,
  redact,
  type Served,
  secretTexts,
  servedOf,
  withSecrets,
  writeCheckpoint,
} from "./checkpoint.ts";
import { Cluster } from "./cluster.ts";
import { deletesFirst, differences } from "./diff.ts";
import { Helm } from "./helm/program.ts";
import { RELEASE, Releases } from "./helm/releases.ts";
import { immutableFields } from "./immutable.ts";
import { knownAddress } from "./kinds.ts";
import { activeCluster, isText } from "./kubeconfig.ts";
import { fieldManager, isNamed, named } from "./naming.ts";
import { normalize } from "./normalize.ts";
import {
  ANNOTATION,
  annotationOf,
  describeObject,
  idOf,
  type KubernetesObject,
  kindOf,
  kindOfToken,
  nameOf,
  namespaceOf,
  parseId,
  textAt,
  valueAt,
  withValue,
} from "./object.ts";
import { prune, withOmitted } from "./prune.ts";
import {
  type Around,
  createObject,
  deleteObject,
  findConflicts,
  isNamespaceMissing,
  updateObject,
} from "./resource.ts";
import { lastServed, RolledBackError, rollBack } from "./rollback.ts";
import { readSettings, type Settings, unserved } from "./settings.ts";
import { checkReady, NotReadyError } from "./wait.ts";
import { selectorOf, waiterOf } from "./waiters.ts";

/** Of the official provider that this one stands in for; that of the npm package @pulumi/kubernetes. */
const VERSION = "4.34.2";

export interface KubernetesProviderOptions {
  readonly log: EngineLog;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The project's directory: charts' paths are relative to it. */
  readonly directory: string;
}

/** What is asked of one resource. */
interface Answers {
  check(request: provider.CheckRequest): Promise<provider.CheckResponse>;
  diff(request: provider.DiffRequest): Promise<provider.DiffResponse>;
  create(request: provider.CreateRequest): Promise<provider.CreateResponse>;
  read(request: provider.ReadRequest): Promise<provider.ReadResponse>;
  update(request: provider.UpdateRequest): Promise<provider.UpdateResponse>;
  delete(request: provider.DeleteRequest): Promise<empty.Empty>;
}

/** The methods of Pulumi's ResourceProvider service, for every kind that the cluster has. */
export class KubernetesProvider implements Answers {
  readonly calls = new Calls();
  private readonly options: KubernetesProviderOptions;
  private settings: Settings | undefined;
  private cluster: Cluster | undefined;
  private releases: Releases | undefined;
  private warned = false;
  private readonly causes = new Causes();

  constructor(options: KubernetesProviderOptions) {
    this.options = options;
  }

  /** For grpc-js' `Server.addService`. */
  implementation(): UntypedServiceImplementation {
    const { calls } = this;
    return {
      handshake: calls.unary(async () => handshake()),
      getPluginInfo: calls.unary(async () => pluginInfo(VERSION)),
      getSchema: calls.unary(async () => schema()),
      checkConfig: calls.unary(async (request: provider.CheckRequest) => checkConfig(request)),
      diffConfig: calls.unary(async (request: provider.DiffRequest) => diffConfig(request)),
      configure: calls.unary(async (request: provider.ConfigureRequest) => this.configure(request)),
      check: calls.unary((request: provider.CheckRequest) => this.served(request).check(request)),
      diff: calls.unary((request: provider.DiffRequest) => this.served(request).diff(request)),
      create: calls.unary((request: provider.CreateRequest) =>
        this.told(request, this.served(request).create(request)),
      ),
      read: calls.unary((request: provider.ReadRequest) => this.told(request, this.served(request).read(request))),
      update: calls.unary((request: provider.UpdateRequest) =>
        this.told(request, this.served(request).update(request)),
      ),
      delete: calls.unary((request: provider.DeleteRequest) =>
        this.told(request, this.served(request).delete(request)),
      ),
      invoke: calls.unary(async (request: provider.InvokeRequest) => absent(request.getTok())),
      construct: calls.unary(async (request: provider.ConstructRequest) => absent(request.getType())),
      cancel: calls.unary(async () => {
        calls.cancel();
        return new empty.Empty();
      }),
    };
  }

  /** Who answers for a resource: helm for its releases, else this provider. */
  private served(request: { getUrn(): string }): Answers {
    if (typeToken(request.getUrn()) !== RELEASE) return this;
    this.configuredParts();
    if (this.releases === undefined) throw new Error("the engine has not configured this provider");
    return this.releases;
  }

  private configure(request: provider.ConfigureRequest): provider.ConfigureResponse {
    const { values } = decode(request.getArgs());
    this.settings = readSettings(values, this.options.environment);
    this.cluster = new Cluster(this.settings, this.calls.signal);
    const { log, directory } = this.options;
    this.releases = new Releases({
      helm: new Helm(this.settings, directory, this.calls.signal),
      cluster: this.cluster,
      directory,
      status: (urn, line, isLast = false) => (isLast ? log.end(urn, line) : log.status(urn, line)),
      warn: (urn, line) => log.send(urn, "warning", line),
    });
    const response = configured();
    response.setSupportsAutonamingConfiguration(true);
    return response;
  }

  async check(request: provider.CheckRequest): Promise<provider.CheckResponse> {
    const urn = request.getUrn();
    const token = servedToken(urn);
    const news = properties(request.getNews());
    const before = objectOf(properties(request.getOlds()));
    const response = new provider.CheckResponse();
    const wanted = { ...kindOfToken(token), ...objectOf(news) };
    const inputs = await this.inNamespace(named(normalize(wanted), before, nameSource(request)));
    if (!isNamed(inputs) && textAt(inputs, "metadata", "generateName") !== "")
      response.addFailures(
        checkFailure({
          property: "metadata.generateName",
          reason: "expected metadata.name or neither: names that the API server makes up can't be applied to",
        }),
      );
    const data = dataProblem(before, inputs);
    if (data !== undefined) response.addFailures(checkFailure(data));
    response.setInputs(struct.Struct.fromJavaScript(withSecrets(inputs, news)));
    return response;
  }

  /** The inputs with the namespace that they leave open. */
  private async inNamespace(inputs: KubernetesObject): Promise<KubernetesObject> {
    const { metadata } = inputs;
    if (metadata === UNKNOWN || valueAt(inputs, "metadata", "namespace") === UNKNOWN || namespaceOf(inputs) !== "")
      return inputs;
    const { cluster } = this.configuredParts();
    const kind = kindOf(inputs);
    try {
      const address = knownAddress(kind) ?? (await cluster.address(kind));
      // A kind that is not there yet comes with the same run, and most are namespaced.
      if (address?.namespaced === false) return inputs;
      return withValue(inputs, ["metadata", "namespace"], await cluster.defaultNamespace());
    } catch {
      this.calls.signal.throwIfAborted();
      return withValue(inputs, ["metadata", "namespace"], "default");
    }
  }

  async diff(request: provider.DiffRequest): Promise<provider.DiffResponse> {
    servedToken(request.getUrn());
    const { settings } = this.configuredParts();
    const checkpoint = parseCheckpoint(properties(request.getOlds()));
    const inputs = canonical(normalize(objectOf(properties(request.getNews()))));
    const before = normalize(checkpoint.inputs);
    const pruned = canonical(withOmitted(prune(normalize(checkpoint.live), before), before));
    // What is named now may have been named by the server.
    const live = nameOf(inputs) === "" ? pruned : withValue(pruned, ["metadata", "name"], nameOf(checkpoint.live));
    const mutable = { configMaps: settings.enableConfigMapMutable, secrets: settings.enableSecretMutable };
    const found = differences({
      live,
      inputs,
      immutable: immutableFields(inputs, mutable),
      ignored: request.getIgnorechangesList(),
    });
    const unfinished = await this.unfinishedJob(inputs, checkpoint.live);
    const anew = { path: `metadata.annotations["${ANNOTATION.replaceUnready}"]`, kind: "update" } as const;
    // One that runs is waited for by an update, which changes nothing.
    if (unfinished !== undefined) found.push({ ...anew, replaces: unfinished === "over" });
    const response = diffResponse(found);
    // Where the old one may still begin, or runs with another template, both would work at the same time.
    const isAlone = unfinished !== undefined && found.some(({ replaces }) => replaces);
    response.setDeletebeforereplace(isAlone || deletesFirst(found, live, inputs));
    return response;
  }

  /** How far a Job got that its annotation wants anew where it has not done its work; undefined where it has. */
  private async unfinishedJob(
    inputs: KubernetesObject,
    live: KubernetesObject,
  ): Promise<"over" | "running" | undefined> {
    if (annotationOf(inputs, ANNOTATION.replaceUnready) !== "true" || kindOf(inputs).kind !== "Job") return undefined;
    const { cluster } = this.configuredParts();
    const namespace = namespaceOf(live);
    try {
      const seen = await cluster.read({ ...kindOf(live), namespace, name: nameOf(live) });
      const verdict = seen === undefined ? "done" : judgeJob(seen, [], [], {}).verdict;
      if (seen === undefined || verdict === "done") return undefined;
      if (verdict === "fatal") return "over";
      const query = { labelSelector: selectorOf(seen) };
      const pods: Pod[] = await cluster.list({ apiVersion: "v1", kind: "Pod" }, namespace, query);
      const own = pods.filter(({ metadata }) => isOwned(metadata, textAt(seen, "metadata", "uid")));
      return own.some(isAtWork) ? "running" : "over";
    } catch {
      this.calls.signal.throwIfAborted();
      return undefined; // what can't be looked at is left alone
    }
  }

  async create(request: provider.CreateRequest): Promise<provider.CreateResponse> {
    const urn = request.getUrn();
    servedToken(urn);
    const marked = properties(request.getProperties());
    const inputs = objectOf(marked);
    const preview = request.getPreview();
    const response = new provider.CreateResponse();
    if (preview && holdsUnknown(inputs)) {
      response.setProperties(request.getProperties());
      return response;
    }
    const around = this.around(urn, marked, {
      preview,
      timeout: request.getTimeout(),
      fieldManager: fieldManager(inputs, undefined),
    });
    const state = (live: KubernetesObject) =>
      writeCheckpoint(
        { inputs, live, fieldManager: around.fieldManager, initialApiVersion: kindOf(inputs).apiVersion },
        marked,
      );
    try {
      const live = await createObject(inputs, around);
      if (!preview) response.setId(idOf(live));
      response.setProperties(struct.Struct.fromJavaScript(state(live)));
      return response;
    } catch (error) {
      if (preview && this.isUntold(urn, error)) {
        response.setProperties(request.getProperties());
        return response;
      }
      const unready = (live: KubernetesObject) => keptServed(state(live), undefined);
      throw await this.failure(error, { inputs, marked, verb: "create", urn, around, state: unready });
    }
  }

  async update(request: provider.UpdateRequest): Promise<provider.UpdateResponse> {
    const urn = request.getUrn();
    servedToken(urn);
    const olds = properties(request.getOlds());
    const checkpoint = parseCheckpoint(olds);
    const marked = properties(request.getNews());
    const inputs = normalize(objectOf(marked));
    const preview = request.getPreview();
    const response = new provider.UpdateResponse();
    const around = this.around(urn, marked, {
      preview,
      timeout: request.getTimeout(),
      fieldManager: fieldManager(inputs, checkpoint.fieldManager),
    });
    if (preview && holdsUnknown(inputs)) {
      try {
        await findConflicts(checkpoint.live, inputs, request.getIgnorechangesList(), around);
      } catch (error) {
        throw await this.failure(error, { inputs, marked, verb: "patch", urn, around });
      }
      response.setProperties(request.getNews());
      return response;
    }
    const { initialApiVersion } = checkpoint;
    const state = (live: KubernetesObject) =>
      writeCheckpoint({ inputs, live, fieldManager: around.fieldManager, initialApiVersion }, marked);
    const served = await lastServed(olds, checkpoint, around);
    try {
      const live = await updateObject(checkpoint.live, inputs, request.getIgnorechangesList(), around);
      response.setProperties(struct.Struct.fromJavaScript(state(live)));
      return response;
    } catch (error) {
      if (preview && this.isUntold(urn, error)) {
        response.setProperties(request.getNews());
        return response;
      }
      const ignored = request.getIgnorechangesList();
      const told = await rollBack(error, { served, live: checkpoint.live, inputs, ignored, around });
      if (told instanceof RolledBackError && served !== undefined && !served.isLast)
        throw this.rolledBack(told, served, marked, around, initialApiVersion);
      const unready = (live: KubernetesObject) => keptServed(state(live), served);
      throw await this.failure(told, { inputs, marked, verb: "patch", urn, around, state: unready });
    }
  }

  async read(request: provider.ReadRequest): Promise<provider.ReadResponse> {
    const urn = request.getUrn();
    const token = servedToken(urn);
    const { cluster, settings } = this.configuredParts();
    const marked = properties(request.getInputs());
    const known = normalize(objectOf(marked));
    const before = properties(request.getProperties());
    const checkpoint = parseCheckpoint(before);
    const isImport = textAt(known, "kind") === "" && textAt(checkpoint.live, "kind") === "";
    const { namespace, name } = parseId(request.getId());
    const kind = textAt(known, "kind") !== "" ? kindOf(known) : isImport ? kindOfToken(token) : kindOf(checkpoint.live);
    const response = new provider.ReadResponse();
    const place = { ...kind, namespace, name };
    const around = this.around(urn, marked, {
      preview: false,
      timeout: 0,
      fieldManager: fieldManager(known, checkpoint.fieldManager),
    });
    const asked = { ...place, metadata: { namespace, name } } as KubernetesObject;
    let live: KubernetesObject | undefined;
    try {
      live = await cluster.read(place);
    } catch (error) {
      if (this.isOutage(error)) {
        if (settings.deleteUnreachable) return response; // an empty id says that it is gone
        if (settings.skipUpdateUnreachable) return asItWas(request);
      }
      throw await this.failure(error, { inputs: asked, marked, verb: "get", urn, around });
    }
    if (live === undefined) return response;
    const inputs = isImport
      ? importedInputs(live)
      : withOmitted(prune(normalize(live), known), known, normalize(checkpoint.live));
    const state = writeCheckpoint(
      {
        inputs,
        live,
        fieldManager: around.fieldManager,
        initialApiVersion: checkpoint.initialApiVersion ?? kind.apiVersion,
      },
      marked,
    );
    const wire = withSecrets(inputs, marked);
    const waiter = isImport ? undefined : waiterOf(known, live);
    try {
      if (waiter !== undefined) await checkReady(cluster, live, waiter);
    } catch (error) {
      if (!(error instanceof NotReadyError))
        throw await this.failure(error, { inputs: asked, marked, verb: "get", urn, around });
      const message = redact(error.message, secretTexts(marked));
      const unready = keptServed(state, servedOf(before));
      throw new InitFailedError(message, { id: request.getId(), state: unready, inputs: wire });
    }
    response.setId(request.getId());
    response.setProperties(struct.Struct.fromJavaScript(state));
    response.setInputs(struct.Struct.fromJavaScript(wire));
    return response;
  }

  async delete(request: provider.DeleteRequest): Promise<empty.Empty> {
    const urn = request.getUrn();
    servedToken(urn);
    const { settings } = this.configuredParts();
    const marked = properties(request.getProperties());
    const { inputs, live, fieldManager: manager } = parseCheckpoint(marked);
    const around = this.around(urn, marked, {
      preview: false,
      timeout: request.getTimeout(),
      fieldManager: fieldManager(inputs, manager),
    });
    try {
      await deleteObject(inputs, live, around);
    } catch (error) {
      if (settings.deleteUnreachable && this.isOutage(error)) return new empty.Empty();
      throw await this.failure(error, { inputs: live, marked, verb: "delete", urn, around });
    }
    return new empty.Empty();
  }

  /** A rollback to other inputs than the state has: from now on it has those. */
  private rolledBack(
    { message, object: live }: RolledBackError,
    { inputs, marked }: Served,
    news: WireMap,
    { fieldManager }: Around,
    initialApiVersion: string | undefined,
  ): InitFailedError {
    return new InitFailedError(redact(message, [...secretTexts(news), ...secretTexts(marked)]), {
      id: idOf(live),
      state: writeCheckpoint({ inputs, live, fieldManager, initialApiVersion }, marked),
    });
  }

  /** A failure for people, without secrets; with the object's state where it is there and not ready. */
  private async failure(
    error: unknown,
    {
      inputs,
      marked,
      verb,
      urn,
      around,
      state,
    }: {
      readonly inputs: KubernetesObject;
      readonly marked: WireMap;
      readonly verb: string;
      readonly urn: string;
      readonly around: Around;
      readonly state?: (live: KubernetesObject) => WireMap;
    },
  ): Promise<unknown> {
    const secrets = secretTexts(marked);
    if (error instanceof NotReadyError && state !== undefined)
      return new InitFailedError(redact(error.message, secrets), {
        id: idOf(error.object),
        state: state(error.object),
      });
    const { cluster } = this.configuredParts();
    const kind = kindOf(inputs);
    const plural = knownAddress(kind)?.plural ?? kind.kind.toLowerCase();
    const group = kind.apiVersion.includes("/") ? `.${kind.apiVersion.split("/")[0]}` : "";
    const explained = await cluster.explained(error, {
      what: `${verb === "patch" ? "change" : verb === "get" ? "read" : verb} ${describeObject(inputs)}`,
      verb,
      resource: `${plural}${group}`,
      namespace: namespaceOf(inputs),
      name: nameOf(inputs),
      fieldManager: around.fieldManager,
      token: typeToken(urn),
    });
    if (explained instanceof UserError) return new UserError(redact(explained.message, secrets), explained.fix);
    if (explained instanceof NotReadyError || explained instanceof RolledBackError)
      return Object.assign(new Error(redact(explained.message, secrets)), { expected: true });
    return explained;
  }

  /** True for what keeps a preview from asking the cluster, which is no failure yet: the preview then shows the inputs. */
  private isUntold(urn: string, error: unknown): boolean {
    if (this.isOutage(error)) {
      if (!this.warned)
        this.options.log.send(urn, "warning", `previewed without the cluster: ${(error as Error).message}`);
      this.warned = true;
      return true;
    }
    if (isNamespaceMissing(error)) return true;
    if (!(error instanceof RefusedError)) return false;
    const { code, reason, message } = error.refusal;
    // Who may not try may still be let do it by then; what is there may be gone by then.
    if (reason === "AlreadyExists" || reason === "NoKindMatch") return true;
    const isAboutRights = code === 403 && !/quota|violates PodSecurity|terminated|denied the request/.test(message);
    return isAboutRights || /does not support dry run/.test(message);
  }

  private isOutage(error: unknown): boolean {
    return error instanceof OutageError || (error instanceof UserError && /can't be reached/.test(error.message));
  }

  private around(urn: string, marked: WireMap, own: Pick<Around, "preview" | "timeout" | "fieldManager">): Around {
    const { log } = this.options;
    const secrets = secretTexts(marked);
    return {
      ...this.configuredParts(),
      ...own,
      status: (line, isLast = false) =>
        isLast ? log.end(urn, redact(line, secrets)) : log.status(urn, redact(line, secrets)),
      warn: (line) => log.send(urn, "warning", redact(line, secrets)),
    };
  }

  private configuredParts(): { readonly settings: Settings; readonly cluster: Cluster } {
    const { settings, cluster } = this;
    if (settings === undefined || cluster === undefined) throw new Error("the engine has not configured this provider");
    return { settings, cluster };
  }

  /** Answers when the engine has heard all that was said of it; what many resources fail of is told in full by the first. */
  private async told<T>(request: { getUrn(): string }, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const urn = request.getUrn();
      throw this.causes.told(error, `${typeToken(urn).replace(/^.*:/, "")} ${resourceName(urn)}`);
    } finally {
      await this.options.log.flush();
    }
  }
}

/** The token of a type that is served. @throws UserError for what only the official plugin has */
function servedToken(urn: string): string {
  const token = typeToken(urn);
  const { apiVersion, kind } = kindOfToken(token);
  const isOther =
    /^(?:helm\.sh|kustomize|yaml)(?:\/|$)/.test(apiVersion) || kind.endsWith("Patch") || kind.endsWith("List");
  if (isOther) throw unservedType(token);
  return token;
}

function unservedType(token: string): UserError {
  return new UserError(
    `keelson's kubernetes plugin has no ${token}: it has single objects`,
    `install Pulumi's own: pulumi plugin install resource kubernetes ${VERSION}`,
  );
}

function absent(token: string): never {
  throw unservedType(token);
}

function nameSource(request: provider.CheckRequest) {
  const autonaming = request.getAutonaming();
  const { Mode } = provider.CheckRequest.AutonamingOptions;
  if (autonaming?.getMode() === Mode.DISABLE && !isNamed(objectOf(properties(request.getNews()))))
    throw new UserError("names are not made up here (pulumi:autonaming), and it has none", "write metadata.name");
  const proposed = autonaming?.getProposedName();
  return {
    resource: resourceName(request.getUrn()),
    seed: request.getRandomseed_asU8(),
    ...(proposed ? { proposed } : {}),
  };
}

/** With the namespace that an empty one means. */
function canonical(object: KubernetesObject): KubernetesObject {
  if (knownAddress(kindOf(object))?.namespaced === false)
    return withValue(object, ["metadata", "namespace"], undefined);
  const { metadata } = object;
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata) || "namespace" in metadata)
    return object;
  return withValue(object, ["metadata", "namespace"], "default");
}

/** What a program would have to say for the object that is there. */
function importedInputs(live: KubernetesObject): KubernetesObject {
  const { status: _, ...rest } = normalize(live);
  return [
    ["metadata", "annotations", "deployment.kubernetes.io/revision"],
    ["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"],
  ].reduce((inputs, path) => withValue(inputs, path, undefined), rest);
}

function asItWas(request: provider.ReadRequest): provider.ReadResponse {
  const response = new provider.ReadResponse();
  response.setId(request.getId());
  response.setProperties(request.getProperties());
  response.setInputs(request.getInputs());
  return response;
}

function schema(): provider.GetSchemaResponse {
  const response = new provider.GetSchemaResponse();
  response.setSchema(JSON.stringify({ name: "kubernetes", version: VERSION, resources: {} }));
  return response;
}

/** A kubeconfig's text holds keys: it is a secret in the state, whatever the program says. */
function checkConfig(request: provider.CheckRequest): provider.CheckResponse {
  const response = new provider.CheckResponse();
  const news = properties(request.getNews());
  const { values } = decode(request.getNews());
  for (const name of unserved(values))
    response.addFailures(
      checkFailure({
        property: name,
        reason: `keelson's kubernetes plugin has no ${name}: pulumi plugin install resource kubernetes ${VERSION}`,
      }),
    );
  const { kubeconfig } = news;
  const isHidden = typeof values.kubeconfig === "string" && isText(values.kubeconfig) && kubeconfig !== undefined;
  response.setInputs(struct.Struct.fromJavaScript(isHidden ? { ...news, kubeconfig: asSecret(kubeconfig) } : news));
  return response;
}

/** Another cluster's settings are another provider's: what it made is made anew there, as the official plugin does it. */
function diffConfig(request: provider.DiffRequest): provider.DiffResponse {
  const [olds, news] = [decode(request.getOlds()).values, decode(request.getNews()).values];
  const keys = [...new Set([...Object.keys(olds), ...Object.keys(news)])].filter(
    (key) => !key.startsWith("__") && key !== "version",
  );
  const changed = keys.filter((key) => JSON.stringify(olds[key] ?? null) !== JSON.stringify(news[key] ?? null));
  const response = new provider.DiffResponse();
  const { DiffChanges } = provider.DiffResponse;
  response.setChanges(changed.length === 0 ? DiffChanges.DIFF_NONE : DiffChanges.DIFF_SOME);
  response.setDiffsList(changed);
  const [before, after] = [activeCluster(olds), activeCluster(news)];
  const isOther = before !== undefined && after !== undefined && !isDeepStrictEqual(before, after);
  const { clusterIdentifier: was } = olds;
  const { clusterIdentifier: is } = news;
  // Where clusters have names of the user's own, these decide alone.
  if (was !== undefined && is !== undefined) response.setReplacesList(was === is ? [] : ["clusterIdentifier"]);
  else if (isOther)
    response.setReplacesList(changed.filter((key) => ["kubeconfig", "context", "cluster"].includes(key)));
  return response;
}
