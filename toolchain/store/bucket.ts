import { AwsV4Signer } from "aws4fetch";
import type { VolumeAccess } from "../../core/volume/consumers.ts";
import { type HttpAnswer, type HttpTransport, readAll } from "../../oci/http.ts";
import { download } from "./http.ts";
import { HttpStatusError, retry } from "./retry.ts";

/** An object of a bucket, as its listing has it. */
export interface BucketObject {
  /** Without the volume's prefix. */
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Without its quotes; the MD5 of an object that was put in one piece. */
  readonly etag: string;
}

/** A listing's page has at most 1000 keys of at most 1024 bytes. */
const MAX_PAGE = 8 << 20;

/**
 * All objects of a volume, below its prefix (ListObjectsV2).
 * @throws HttpStatusError where it can't be listed.
 */
export async function listObjects(
  access: VolumeAccess,
  transport: HttpTransport,
  signal?: AbortSignal,
): Promise<BucketObject[]> {
  const found: BucketObject[] = [];
  let token: string | undefined;
  do {
    const query = new URLSearchParams({ "list-type": "2", prefix: access.prefix });
    if (token !== undefined) query.set("continuation-token", token);
    const text = await retry(
      async () => {
        const answer = await send(access, transport, `?${query}`);
        const body = (await readAll(answer.body, MAX_PAGE)).toString();
        if (answer.status !== 200) throw new HttpStatusError(answer.status, answer.headers);
        return body;
      },
      signal === undefined ? {} : { signal },
    );
    for (const [, contents = ""] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs))
      found.push({
        key: element(contents, "Key").slice(access.prefix.length),
        size: Number(element(contents, "Size")),
        etag: element(contents, "ETag").replaceAll('"', ""),
      });
    token = element(text, "IsTruncated") === "true" ? element(text, "NextContinuationToken") : undefined;
  } while (token !== undefined && token !== "");
  return found;
}

/** Downloads one object. @param limit bytes. @throws HttpStatusError */
export async function getObject(
  access: VolumeAccess,
  transport: HttpTransport,
  key: string,
  file: string,
  limit: number,
  signal?: AbortSignal,
): Promise<void> {
  const { url, headers } = await signed(access, `/${key.split("/").map(encodeURIComponent).join("/")}`);
  await download(transport, url.href, file, limit, signal, headers);
}

async function send(access: VolumeAccess, transport: HttpTransport, rest: string): Promise<HttpAnswer> {
  return transport.send({ method: "GET", ...(await signed(access, rest)) });
}

async function signed(access: VolumeAccess, rest: string) {
  const { endpoint, bucket, prefix, region, accessKeyId, secretAccessKey } = access;
  const path = rest.startsWith("?") ? rest : `/${prefix}${rest.slice(1)}`;
  const signer = new AwsV4Signer({
    url: `${endpoint}/${bucket}${path}`,
    service: "s3",
    ...{ region, accessKeyId, secretAccessKey },
  });
  const { url, headers } = await signer.sign();
  return { url, headers: Object.fromEntries(headers) };
}

function element(xml: string, name: string): string {
  const [, text = ""] = new RegExp(`<${name}>(.*?)</${name}>`, "s").exec(xml) ?? [];
  const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replaceAll(/&(lt|gt|quot|apos|amp|#\d+|#x[0-9a-f]+);/gi, (_, entity: string) => {
    if (entity.startsWith("#x")) return String.fromCodePoint(Number.parseInt(entity.slice(2), 16));
    return entity.startsWith("#") ? String.fromCodePoint(Number(entity.slice(1))) : (entities[entity] ?? "");
  });
}
