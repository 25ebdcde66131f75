import type { Readable } from "node:stream";

/** What can be wrong with a volume. */
export type VolumeFault = "missing" | "read-only" | "full" | "slow" | "error";

/** The volume did not do what it should; tools then go to local disk alone, and nothing else suffers. */
export class VolumeError extends Error {
  override readonly name = "VolumeError";
  readonly fault: VolumeFault;

  constructor(fault: VolumeFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/** A small object with what identifies its present content. */
export interface Stored {
  readonly body: string;
  readonly etag: string;
}

export interface Listed {
  readonly key: string;
  readonly size: number;
  /** Seconds since it was written, by the volume's own clock where it has one. */
  readonly age: number;
}

/**
 * Where tools survive a restart: an S3 bucket or a mounted directory. There is no rename and no lock in it; what is
 * needed of it is that an object appears as a whole and that creating one can be told apart from replacing it.
 * Keys are relative, with slashes. Every method throws {@link VolumeError}, nothing else.
 */
export interface Volume {
  /** For logs and people; no credentials. @example "s3://tools/acme at https://….r2.cloudflarestorage.com" */
  readonly description: string;
  /** A small object, at most 1 MiB. */
  get(key: string): Promise<Stored | undefined>;
  /** Creates an object. @returns its etag, or undefined when there is one already. */
  create(key: string, body: string): Promise<string | undefined>;
  /** Replaces an object that still is what it was. @returns its new etag, or undefined when it has changed. */
  replace(key: string, body: string, etag: string): Promise<string | undefined>;
  /** An object's bytes; a connection that breaks is taken up where it broke. */
  read(key: string): Promise<Readable | undefined>;
  /** Stores a local file; what is there already under the key is the same. */
  store(key: string, file: string, of: { readonly size: number; readonly sha256: string }): Promise<void>;
  remove(key: string): Promise<void>;
  list(prefix: string): Promise<Listed[]>;
}
