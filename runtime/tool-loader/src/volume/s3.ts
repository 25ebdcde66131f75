import { createHash } from "node:crypto";
import { createReadStream, openAsBlob } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { AwsClient } from "aws4fetch";
import * as z from "zod";
import { retryDelay } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { reasonOf } from "../error.ts";
import { writeDurably } from "../local/durable.ts";
import { type Listed, type Stored, type Volume, VolumeError, type VolumeFault } from "./volume.ts";
import { tag, tags } from "./xml.ts";

export interface S3Options {
  /** @example "https://<account>.r2.cloudflarestorage.com" */
  readonly endpoint: string;
  readonly bucket: string;
  /** Before every key; empty, or ends with a slash. */
  readonly prefix: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  /** Where it is remembered which parts of a large archive are up already; no resuming across processes without. */
  readonly uploads?: string | undefined;
  /** Seconds without an answer, or without a byte, until a request counts as hanging. */
  readonly patience?: number;
  readonly attempts?: number;
  readonly partSize?: number;
}

/** R2 takes one write a second to the same key and answers more with 429. */
const SECONDS_BETWEEN_WRITES = 1.05;
/** Archives above this go up in parts, so that a cut doesn't cost all of it. */
const PART_SIZE = 16 * 2 ** 20;
const PARTS_ABOVE = 4;
/** The slowest upload that still counts as one, bytes a second. */
const SLOWEST_UPLOAD = 128 * 1024;
const MAX_SMALL = 2 ** 20;

const uploadSchema = z.object({ id: z.string(), partSize: z.number(), etags: z.array(z.string()) });
/** An upload in parts: those that are up, in order. */
type Upload = z.output<typeof uploadSchema>;

/** An S3 bucket as volume: R2, or anything that speaks its API with SigV4 and honours If-None-Match on a put. */
export class S3Volume implements Volume {
  readonly description: string;
  readonly #o: S3Options;
  readonly #client: AwsClient;
  readonly #written = new Map<string, number>();
  /** Milliseconds by which the server's clock is ahead; set when it tells us that ours is wrong. */
  #skew = 0;

  constructor(options: S3Options) {
    this.#o = options;
    this.description = `s3://${options.bucket}/${options.prefix} at ${options.endpoint}`;
    this.#client = new AwsClient({
      accessKeyId: options.accessKeyId,
      secretAccessKey: options.secretAccessKey,
      ...(options.sessionToken === undefined ? {} : { sessionToken: options.sessionToken }),
      service: "s3",
      region: options.region,
      retries: 0,
    });
  }

  async get(key: string): Promise<Stored | undefined> {
    const answer = await this.#send("GET", key);
    if (answer === undefined) return undefined;
    const body = await this.#text(answer);
    return { body, etag: answer.headers.get("etag") ?? "" };
  }

  async create(key: string, body: string): Promise<string | undefined> {
    let tries = 0;
    const answer = await this.#send("PUT", key, { body, headers: { "if-none-match": "*" }, onTry: () => tries++ });
    if (answer?.status !== 412) return answer?.headers.get("etag") ?? "";
    // The first try may have arrived without its answer coming back.
    const now = tries > 1 ? await this.get(key) : undefined;
    return now?.body === body ? now.etag : undefined;
  }

  async replace(key: string, body: string, etag: string): Promise<string | undefined> {
    let tries = 0;
    const answer = await this.#send("PUT", key, { body, headers: { "if-match": etag }, onTry: () => tries++ });
    if (answer === undefined) return undefined; // it is gone
    if (answer.status !== 412) return answer.headers.get("etag") ?? "";
    const now = tries > 1 ? await this.get(key) : undefined;
    return now?.body === body ? now.etag : undefined;
  }

  async read(key: string): Promise<Readable | undefined> {
    const first = await this.#send("GET", key, { whole: false });
    if (first === undefined) return undefined;
    return Readable.from(this.#chunks(key, first), { objectMode: false, highWaterMark: 1 << 20 });
  }

  /** The bytes of an object; after a cut it asks for the rest, as long as each try brings some. */
  async *#chunks(key: string, first: Response): AsyncGenerator<Uint8Array> {
    const etag = first.headers.get("etag") ?? "";
    const length = Number(first.headers.get("content-length") ?? Number.NaN);
    let answer = first;
    let at = 0;
    for (let fruitless = 0; ; ) {
      const before = at;
      try {
        for await (const chunk of this.#patiently(answer)) {
          at += chunk.length;
          yield chunk;
        }
        if (Number.isNaN(length) || at >= length) return;
        throw new VolumeError("error", `${this.description}: ${key} ended after ${at} of ${length} bytes`);
      } catch (error) {
        fruitless = at > before ? 0 : fruitless + 1;
        if (fruitless >= (this.#o.attempts ?? 4)) throw this.#fault(error, key);
        await this.#o.clock.sleep(retryDelay(fruitless + 1, this.#o.random, { first: 0.5, cap: 10 }));
        const next = await this.#send("GET", key, {
          headers: { range: `bytes=${at}-`, "if-match": etag },
          whole: false,
        });
        if (next?.status !== 206)
          throw new VolumeError("error", `${this.description}: ${key} changed while it was read`);
        answer = next;
      }
    }
  }

  async *#patiently(answer: Response): AsyncGenerator<Uint8Array> {
    if (answer.body === null) return;
    const reader = answer.body.getReader();
    try {
      for (;;) {
        const patience = this.#o.patience ?? 20;
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<never>((_, reject) => {
          timer = setTimeout(
            () => reject(new VolumeError("slow", `${this.description}: no byte for ${patience} s`)),
            patience * 1000,
          );
        });
        const { done, value } = await Promise.race([reader.read(), late]).finally(() => clearTimeout(timer));
        if (done) return;
        yield value;
      }
    } finally {
      await reader.cancel().catch(() => {});
    }
  }

  async store(key: string, file: string, of: { readonly size: number; readonly sha256: string }): Promise<void> {
    const partSize = this.#o.partSize ?? PART_SIZE;
    if (await this.#holds(key, of.size)) return this.#forgetUpload(of);
    if (of.size > PARTS_ABOVE * partSize) return this.#storeInParts(key, file, of, partSize);
    const body = await openAsBlob(file);
    await this.#send("PUT", key, { body, sha256: of.sha256 });
  }

  async #holds(key: string, size: number): Promise<boolean> {
    const there = await this.#send("HEAD", key);
    return Number(there?.headers.get("content-length") ?? -1) === size;
  }

  /** @param anew whether an upload that the bucket no longer knows is begun once more */
  async #storeInParts(
    key: string,
    file: string,
    of: { size: number; sha256: string },
    partSize: number,
    anew = true,
  ): Promise<void> {
    const memory = this.#memory(of);
    const upload =
      (memory === undefined ? undefined : await remembered(memory, partSize)) ?? (await this.#begin(key, partSize));
    const known = await this.#sendParts(key, file, of, upload);
    const failure = known ? await this.#complete(key, upload) : "unknown";
    // The answer to a completion that was done may be lost, and asked again the upload is unknown: the object tells.
    if (failure === undefined || (await this.#holds(key, of.size))) return this.#forgetUpload(of);
    if (failure instanceof VolumeError) throw failure;
    await this.#forgetUpload(of);
    // It was aborted meanwhile, by a lifecycle rule perhaps.
    if (failure === "unknown" && anew) return this.#storeInParts(key, file, of, partSize, false);
    const why = failure === "unknown" ? "it is unknown" : failure.refused;
    throw new VolumeError("error", `${this.description}: the upload of ${key} could not be completed: ${why}`);
  }

  /** Sends the parts that are not up yet. @returns whether the bucket still knows the upload */
  async #sendParts(key: string, file: string, of: { size: number; sha256: string }, upload: Upload): Promise<boolean> {
    const { id, partSize, etags } = upload;
    const memory = this.#memory(of);
    const blob = await openAsBlob(file);
    const count = Math.ceil(of.size / partSize);
    for (let part = etags.length + 1; part <= count; part++) {
      const [from, to] = [(part - 1) * partSize, Math.min(of.size, part * partSize)];
      const query = { partNumber: String(part), uploadId: id };
      const sha256 = await sha256Of(file, from, to);
      const answer = await this.#send("PUT", key, { query, body: blob.slice(from, to), sha256, paced: false });
      if (answer === undefined) return false;
      etags.push(answer.headers.get("etag") ?? "");
      if (memory !== undefined) await writeDurably(memory, JSON.stringify(upload));
    }
    return true;
  }

  /** @returns why it may not be complete: the bucket doesn't know the upload, refuses it, or did not say */
  async #complete(
    key: string,
    upload: Upload,
  ): Promise<undefined | "unknown" | { readonly refused: string } | VolumeError> {
    const parts = upload.etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`);
    const body = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
    try {
      const answer = await this.#send("POST", key, { query: { uploadId: upload.id }, body, refusal: 400 });
      if (answer === undefined) return "unknown";
      const said = await this.#text(answer);
      // S3 begins with 200 while it still works at it, and may end with an error.
      if (answer.ok && !said.includes("<Error>")) return undefined;
      return { refused: tag(said, "Message") ?? tag(said, "Code") ?? `it was answered with ${answer.status}` };
    } catch (error) {
      if (error instanceof VolumeError) return error;
      throw error;
    }
  }

  #memory(of: { readonly sha256: string }): string | undefined {
    return this.#o.uploads === undefined ? undefined : join(this.#o.uploads, `${of.sha256}.json`);
  }

  async #forgetUpload(of: { readonly sha256: string }): Promise<void> {
    const memory = this.#memory(of);
    if (memory !== undefined) await rm(memory, { force: true });
  }

  async #begin(key: string, partSize: number): Promise<Upload> {
    const answer = await this.#send("POST", key, { query: { uploads: "" } });
    const id = answer === undefined ? undefined : tag(await this.#text(answer), "UploadId");
    if (id === undefined) throw new VolumeError("error", `${this.description}: no upload id for ${key}`);
    return { id, partSize, etags: [] };
  }

  async remove(key: string): Promise<void> {
    await this.#send("DELETE", key, { paced: false });
  }

  async list(prefix: string): Promise<Listed[]> {
    const found: Listed[] = [];
    for (let token: string | undefined; ; ) {
      const query = {
        "list-type": "2",
        prefix: `${this.#o.prefix}${prefix}`,
        ...(token === undefined ? {} : { "continuation-token": token }),
      };
      const answer = await this.#send("GET", undefined, { query });
      if (answer === undefined) throw new VolumeError("missing", `${this.description}: the bucket does not exist`);
      const now = Date.parse(answer.headers.get("date") ?? "") || Date.now() + this.#skew;
      const text = await this.#text(answer, 16 * MAX_SMALL);
      for (const item of tags(text, "Contents")) {
        const key = tag(item, "Key") ?? "";
        if (!key.startsWith(this.#o.prefix)) continue;
        const written = Date.parse(tag(item, "LastModified") ?? "");
        found.push({
          key: key.slice(this.#o.prefix.length),
          size: Number(tag(item, "Size") ?? 0),
          age: Number.isNaN(written) ? 0 : Math.max(0, (now - written) / 1000),
        });
      }
      token = tag(text, "IsTruncated") === "true" ? tag(text, "NextContinuationToken") : undefined;
      if (token === undefined) return found;
    }
  }

  /**
   * One request, again after what may pass: no connection, 429, 5xx; Retry-After is honoured.
   * @returns undefined for 404 of an object; a 412 is returned, and `refusal`
   */
  async #send(method: string, key: string | undefined, init: Init = {}): Promise<Response | undefined> {
    const attempts = this.#o.attempts ?? 4;
    for (let attempt = 1; ; attempt++) {
      const last = attempt >= attempts;
      init.onTry?.();
      if (method === "PUT" && key !== undefined && init.paced !== false) await this.#pace(key);
      let answer: Response;
      try {
        answer = await this.#once(method, key, init);
      } catch (error) {
        // Who hangs twice hangs on: each try costs all of our patience.
        const hangs = error instanceof VolumeError && error.fault === "slow" && attempt >= 2;
        if (last || hangs) throw this.#fault(error, key ?? "");
        await this.#o.clock.sleep(retryDelay(attempt, this.#o.random, { first: 0.5, cap: 10 }));
        continue;
      }
      if (answer.ok || answer.status === 412 || answer.status === init.refusal) return answer;
      const said = await this.#text(answer).catch(() => "");
      const code = tag(said, "Code") ?? "";
      if (answer.status === 404 && code !== "NoSuchBucket") return undefined;
      if (code === "RequestTimeTooSkewed" && !last) {
        this.#skew =
          (Date.parse(answer.headers.get("date") ?? tag(said, "ServerTime") ?? "") || Date.now()) - Date.now();
        continue;
      }
      const passing = answer.status === 429 || answer.status >= 500;
      if (last || !passing || answer.status === 507)
        throw this.#refused(method, key, answer.status, code, tag(said, "Message"));
      const wait = Math.min(60, retryAfter(answer.headers.get("retry-after")) ?? 0);
      await this.#o.clock.sleep(Math.max(wait, retryDelay(attempt, this.#o.random, { first: 0.5, cap: 10 })));
    }
  }

  async #once(method: string, key: string | undefined, init: Init): Promise<Response> {
    const url = new URL(this.#o.endpoint.replace(/\/?$/, "/"));
    const path = [this.#o.bucket, ...(key === undefined ? [] : `${this.#o.prefix}${key}`.split("/"))];
    url.pathname += path.map(encodeSegment).join("/");
    for (const [name, value] of Object.entries(init.query ?? {})) url.searchParams.set(name, value);
    const body = init.body ?? null;
    const sha256 =
      init.sha256 ?? (typeof body === "string" ? createHash("sha256").update(body).digest("hex") : undefined);
    const signed = await this.#client.sign(url.href, {
      method,
      headers: { ...init.headers, ...(sha256 === undefined ? {} : { "x-amz-content-sha256": sha256 }) },
      ...(body === null ? {} : { body }),
      ...(this.#skew === 0 ? {} : { aws: { datetime: amzDate(Date.now() + this.#skew) } }),
    });
    const patience = this.#o.patience ?? 20;
    const seconds = patience + (body instanceof Blob ? body.size / SLOWEST_UPLOAD : 0);
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new VolumeError("slow", `no answer within ${Math.round(seconds)} s`)),
      seconds * 1000,
    );
    try {
      // Small answers are read within the same time; the body of a large one has a patience of its own.
      const answer = await fetch(signed, { signal: late.signal, redirect: "error" });
      if (init.whole === false && answer.ok)
        return new Response(answer.body, { status: answer.status, headers: answer.headers });
      const text = method === "HEAD" || answer.status === 204 ? null : await answer.text();
      return new Response(text === "" ? null : text, { status: answer.status, headers: answer.headers });
    } finally {
      clearTimeout(timer);
    }
  }

  async #pace(key: string): Promise<void> {
    const { clock } = this.#o;
    const wait = (this.#written.get(key) ?? Number.NEGATIVE_INFINITY) + SECONDS_BETWEEN_WRITES - clock.now();
    if (wait > 0) await clock.sleep(wait);
    this.#written.set(key, clock.now());
  }

  async #text(answer: Response, most = MAX_SMALL): Promise<string> {
    const text = await answer.text();
    if (text.length > most)
      throw new VolumeError("error", `${this.description}: an answer of ${text.length} characters`);
    return text;
  }

  #fault(error: unknown, key: string): VolumeError {
    if (error instanceof VolumeError)
      return new VolumeError(error.fault, `${this.description}: ${key}: ${error.message}`);
    const reason = reasonOf(error);
    const gone = /ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN/.test(reason);
    const slow = /timeout|ETIMEDOUT/i.test(reason);
    return new VolumeError(gone ? "missing" : slow ? "slow" : "error", `${this.description}: ${reason}`, {
      cause: error,
    });
  }

  #refused(
    method: string,
    key: string | undefined,
    status: number,
    code: string,
    message: string | undefined,
  ): VolumeError {
    const writing = method !== "GET" && method !== "HEAD";
    let fault: VolumeFault = "error";
    if (code === "NoSuchBucket") fault = "missing";
    else if (status === 403 && writing && code === "AccessDenied") fault = "read-only";
    else if (status === 405) fault = "read-only";
    else if (status === 507 || /Quota|StorageFull|InsufficientStorage/i.test(code)) fault = "full";
    else if (status === 429 || code === "SlowDown") fault = "slow";
    const said = [code, message].filter((t) => t !== undefined && t !== "").join(": ");
    return new VolumeError(
      fault,
      `${this.description}: ${method} ${key ?? ""} was answered with ${status}${said === "" ? "" : ` (${said})`}`,
    );
  }
}

interface Init {
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Blob;
  readonly sha256?: string;
  /** False: the answer's body is not read here. */
  readonly whole?: boolean;
  /** False: no waiting between writes to one key. */
  readonly paced?: boolean;
  /** A status that is an answer, too. */
  readonly refusal?: number;
  readonly onTry?: () => void;
}

async function remembered(path: string, partSize: number): Promise<Upload | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  try {
    const upload = uploadSchema.parse(JSON.parse(text));
    return upload.partSize === partSize ? upload : undefined;
  } catch {
    return undefined;
  }
}

async function sha256Of(file: string, from: number, to: number): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { start: from, end: to - 1 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** @returns seconds; a date is as good as none, for clocks differ */
function retryAfter(header: string | null): number | undefined {
  return header !== null && /^\d+$/.test(header) ? Number(header) : undefined;
}

function amzDate(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replaceAll(/[:-]|\.\d{3}/g, "");
}

/** As signatures want it (RFC 3986): `encodeURIComponent` leaves five characters that they don't. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
