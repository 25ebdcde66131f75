import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileChanged } from "../files.ts";
import { ensureAuthority, ensureCertificate } from "./certificates.ts";

/** Names that the server certificate is good for, and the only ones that the CA may sign. */
const DNS_NAMES = ["localhost"];
const IP_ADDRESSES = ["127.0.0.1", "::1"];
/** The same addresses as bytes, each followed by its mask. */
const IP_BYTES = ["7f000001", "00000000000000000000000000000001"].map((hex) => hex + "f".repeat(hex.length));

const CA_NAME = "keelson local CA";
/** OpenSSL's hash of {@link CA_NAME} as a subject (`openssl x509 -subject_hash`): how its users find a CA in SSL_CERT_DIR. */
const CA_SUBJECT_HASH = "1ec8f67c";

/** The files of the embedded registry's TLS. Keys are readable by their owner alone. */
export interface TlsFiles {
  /** PEM of the CA: what clients trust. */
  readonly ca: string;
  /** PEM of the server certificate. */
  readonly certificate: string;
  /** PEM of the server's key. */
  readonly key: string;
  /** A folder with nothing but the CA, for SSL_CERT_DIR (which adds to what is trusted; SSL_CERT_FILE replaces it) and `--cert-dir`. */
  readonly trust: string;
}

/**
 * Sees to it that `directory` holds a CA of our own and a server certificate for localhost that it signed; makes or
 * renews what is missing, damaged or near its end, and leaves the rest as it is. The caller holds the services' lock.
 * @example await ensureTls("/home/me/.cache/keelson/services/tls", new Date()) // { ca: "/home/…/tls/ca.pem", … }
 */
export async function ensureTls(directory: string, now: Date): Promise<TlsFiles> {
  const files: TlsFiles = {
    ca: join(directory, "ca.pem"),
    certificate: join(directory, "server.pem"),
    key: join(directory, "server.key"),
    trust: join(directory, "trust"),
  };
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const authority = { certificate: files.ca, key: join(directory, "ca.key") };
  const ca = await ensureAuthority(authority, CA_NAME, { dns: DNS_NAMES, ip: IP_BYTES }, now);
  const server = { commonName: "localhost", server: { dns: DNS_NAMES, ip: IP_ADDRESSES } };
  await ensureCertificate(files, ca, server, now);
  await writeTrust(files.trust, ca.pem);
  return files;
}

/** OpenSSL finds a CA by its hash, Go reads every file, and container clients want `*.crt` (containers-certs.d(5)). */
async function writeTrust(directory: string, pem: string): Promise<void> {
  const names = [`${CA_SUBJECT_HASH}.0`, "ca.crt"];
  await mkdir(directory, { recursive: true, mode: 0o755 });
  for (const other of await readdir(directory))
    if (!names.includes(other)) await rm(join(directory, other), { force: true });
  for (const name of names) await writeFileChanged(join(directory, name), pem);
}
