import {
  createPrivateKey,
  generateKeyPair as generateKeyPairCallback,
  randomBytes,
  X509Certificate,
} from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import forge from "node-forge";
import { writeFileAtomic, writeFileChanged } from "../files.ts";

const generateKeyPair = promisify(generateKeyPairCallback);

/** Names that the server certificate is good for, and the only ones that the CA may sign (RFC 5280 name constraints). */
const DNS_NAMES = ["localhost"];
const IP_ADDRESSES = ["127.0.0.1", "::1"];
/** The same addresses as bytes, in hex. */
const IP_BYTES = ["7f000001", "00000000000000000000000000000001"];

const DAY = 24 * 3600 * 1000;
/** The CA stays for ten years; a server certificate for one, and is renewed in its last 30 days (CA: last 400). */
const CA_DAYS = 3650;
const CA_RENEWAL_DAYS = 400;
const SERVER_DAYS = 365;
const SERVER_RENEWAL_DAYS = 30;

const CA_SUBJECT = [{ name: "commonName", value: "keelson local CA" }];
/** OpenSSL's hash of {@link CA_SUBJECT} (`openssl x509 -subject_hash`): how its users find a CA in SSL_CERT_DIR. */
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
  const caKey = join(directory, "ca.key");
  await mkdir(directory, { recursive: true, mode: 0o700 });

  let ca = await readPair(files.ca, caKey);
  if (ca === undefined || !ca.certificate.ca || daysLeft(ca.certificate, now) < CA_RENEWAL_DAYS) {
    ca = await issueAuthority(now);
    await writeFileAtomic(caKey, ca.key, 0o600);
    await writeFileAtomic(files.ca, ca.pem, 0o644);
  }

  const server = await readPair(files.certificate, files.key);
  if (server === undefined || !isServerOf(server.certificate, ca.certificate, now)) {
    const issued = await issueServer(ca, now);
    await writeFileAtomic(files.key, issued.key, 0o600);
    await writeFileAtomic(files.certificate, issued.pem, 0o644);
  }

  await writeTrust(files.trust, ca.pem);
  return files;
}

interface Pair {
  readonly pem: string;
  readonly key: string;
  readonly certificate: X509Certificate;
}

async function readPair(certificateFile: string, keyFile: string): Promise<Pair | undefined> {
  try {
    const [pem, key] = await Promise.all([readFile(certificateFile, "utf8"), readFile(keyFile, "utf8")]);
    const certificate = new X509Certificate(pem);
    return certificate.checkPrivateKey(createPrivateKey(key)) ? { pem, key, certificate } : undefined;
  } catch {
    return undefined; // missing or damaged: it is made anew
  }
}

function isServerOf(server: X509Certificate, ca: X509Certificate, now: Date): boolean {
  return (
    server.checkIssued(ca) &&
    server.verify(ca.publicKey) &&
    daysLeft(server, now) >= SERVER_RENEWAL_DAYS &&
    DNS_NAMES.every((name) => server.checkHost(name) !== undefined) &&
    IP_ADDRESSES.every((address) => server.checkIP(address) !== undefined)
  );
}

/** Days until the certificate ends; -1 when it isn't valid yet (the clock was set back). */
function daysLeft(certificate: X509Certificate, now: Date): number {
  if (Date.parse(certificate.validFrom) > now.getTime()) return -1;
  return (Date.parse(certificate.validTo) - now.getTime()) / DAY;
}

async function issueAuthority(now: Date): Promise<Pair> {
  return issue(now, CA_DAYS, CA_SUBJECT, undefined, [
    { name: "basicConstraints", cA: true, pathLenConstraint: 0, critical: true },
    { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    { name: "subjectKeyIdentifier" },
    nameConstraints(),
  ]);
}

async function issueServer(ca: Pair, now: Date): Promise<Pair> {
  const authority = forge.pki.certificateFromPem(ca.pem);
  return issue(now, SERVER_DAYS, [{ name: "commonName", value: "localhost" }], ca, [
    { name: "basicConstraints", cA: false, critical: true },
    { name: "keyUsage", digitalSignature: true, keyEncipherment: true, critical: true },
    { name: "extKeyUsage", serverAuth: true },
    { name: "authorityKeyIdentifier", keyIdentifier: authority.generateSubjectKeyIdentifier().getBytes() },
    {
      name: "subjectAltName",
      altNames: [...DNS_NAMES.map((value) => ({ type: 2, value })), ...IP_ADDRESSES.map((ip) => ({ type: 7, ip }))],
    },
  ]);
}

async function issue(
  now: Date,
  days: number,
  subject: forge.pki.CertificateField[],
  signer: Pair | undefined,
  extensions: object[],
): Promise<Pair> {
  const pair = await generateKeyPair("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(pair.publicKey);
  // DER takes the shortest form alone: a first byte of 01 to 7f is positive without a zero before it.
  certificate.serialNumber = `01${randomBytes(16).toString("hex")}`;
  certificate.validity.notBefore = new Date(now.getTime() - DAY); // clocks of containers and machines may lag
  certificate.validity.notAfter = new Date(now.getTime() + days * DAY);
  certificate.setSubject(subject);
  certificate.setIssuer(signer === undefined ? subject : forge.pki.certificateFromPem(signer.pem).subject.attributes);
  certificate.setExtensions(extensions);
  certificate.sign(forge.pki.privateKeyFromPem(signer?.key ?? pair.privateKey), forge.md.sha256.create());
  const pem = forge.pki.certificateToPem(certificate).replaceAll("\r\n", "\n");
  return { pem, key: pair.privateKey, certificate: new X509Certificate(pem) };
}

/** Permits localhost alone, so that a stolen CA key fools nobody about any other host. */
function nameConstraints(): object {
  const { asn1 } = forge;
  const subtree = (tag: number, bytes: string) =>
    asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, [
      asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, false, bytes),
    ]);
  const permitted = asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0, true, [
    ...DNS_NAMES.map((name) => subtree(2, name)),
    ...IP_BYTES.map((hex) => subtree(7, forge.util.hexToBytes(hex + "f".repeat(hex.length)))), // address, then its mask
  ]);
  const value = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, [permitted]);
  return { id: "2.5.29.30", critical: true, value: asn1.toDer(value).getBytes() };
}

/** OpenSSL finds a CA by its hash, Go reads every file, and container clients want `*.crt` (containers-certs.d(5)). */
async function writeTrust(directory: string, pem: string): Promise<void> {
  const names = [`${CA_SUBJECT_HASH}.0`, "ca.crt"];
  await mkdir(directory, { recursive: true, mode: 0o755 });
  for (const other of await readdir(directory))
    if (!names.includes(other)) await rm(join(directory, other), { force: true });
  for (const name of names) await writeFileChanged(join(directory, name), pem);
}
