import {
  createPrivateKey,
  generateKeyPair as generateKeyPairCallback,
  randomBytes,
  X509Certificate,
} from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import forge from "node-forge";
import { writeFileAtomic } from "../files.ts";

const generateKeyPair = promisify(generateKeyPairCallback);

const DAY = 24 * 3600 * 1000;
/** A CA stays for ten years; what it signs for one, and is renewed in its last 30 days (the CA: last 400). */
const CA_DAYS = 3650;
const CA_RENEWAL_DAYS = 400;
const LEAF_DAYS = 365;
const LEAF_RENEWAL_DAYS = 30;

/** A certificate and its key, as PEM. */
export interface Pair {
  readonly pem: string;
  readonly key: string;
  readonly certificate: X509Certificate;
}

/** Where a pair lies. The key is readable by its owner alone. */
export interface PairFiles {
  readonly certificate: string;
  readonly key: string;
}

/** The only names that a CA may sign (RFC 5280 name constraints), so that a stolen key fools nobody about any other. */
export interface PermittedNames {
  /** Each with all below it. */
  readonly dns: readonly string[];
  /** Address and mask as bytes, in hex. @example "7f000001ffffffff" */
  readonly ip: readonly string[];
}

/** Whom a certificate names, and what for. */
export interface LeafRequest {
  readonly commonName: string;
  /** What Kubernetes takes for groups. */
  readonly organizations?: readonly string[];
  /** What a server answers under; none for a certificate that is a client's alone. */
  readonly server?: { readonly dns: readonly string[]; readonly ip: readonly string[] };
  /** Whether a client shows it. Default: where it is no server's. */
  readonly client?: boolean;
}

/**
 * Sees to it that a CA of our own is there: makes it anew where it is missing, damaged or near its end.
 * @example await ensureAuthority({ certificate: "/…/ca.pem", key: "/…/ca.key" }, "keelson local CA", names, new Date())
 */
export async function ensureAuthority(
  files: PairFiles,
  commonName: string,
  permitted: PermittedNames,
  now: Date,
): Promise<Pair> {
  const there = await readPair(files);
  if (there?.certificate.ca && daysLeft(there.certificate, now) >= CA_RENEWAL_DAYS) return there;
  const made = await issue(now, CA_DAYS, [{ name: "commonName", value: commonName }], undefined, [
    { name: "basicConstraints", cA: true, pathLenConstraint: 0, critical: true },
    { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    { name: "subjectKeyIdentifier" },
    nameConstraints(permitted),
  ]);
  return writePair(files, made);
}

/** Sees to it that a certificate that `ca` signed is there: makes it anew where it is missing, damaged, another's or near its end. */
export async function ensureCertificate(files: PairFiles, ca: Pair, request: LeafRequest, now: Date): Promise<Pair> {
  const there = await readPair(files);
  if (there !== undefined && isGood(there.certificate, ca.certificate, request, now)) return there;
  return writePair(files, await issueLeaf(ca, request, now));
}

function isGood(certificate: X509Certificate, ca: X509Certificate, { server }: LeafRequest, now: Date): boolean {
  return (
    certificate.checkIssued(ca) &&
    certificate.verify(ca.publicKey) &&
    daysLeft(certificate, now) >= LEAF_RENEWAL_DAYS &&
    (server?.dns ?? []).every((name) => certificate.checkHost(name) !== undefined) &&
    (server?.ip ?? []).every((address) => certificate.checkIP(address) !== undefined)
  );
}

async function readPair(files: PairFiles): Promise<Pair | undefined> {
  try {
    const [pem, key] = await Promise.all([readFile(files.certificate, "utf8"), readFile(files.key, "utf8")]);
    const certificate = new X509Certificate(pem);
    return certificate.checkPrivateKey(createPrivateKey(key)) ? { pem, key, certificate } : undefined;
  } catch {
    return undefined; // missing or damaged: it is made anew
  }
}

async function writePair(files: PairFiles, pair: Pair): Promise<Pair> {
  await writeFileAtomic(files.key, pair.key, 0o600);
  await writeFileAtomic(files.certificate, pair.pem, 0o644);
  return pair;
}

/** Days until the certificate ends; -1 when it isn't valid yet (the clock was set back). */
function daysLeft(certificate: X509Certificate, now: Date): number {
  if (Date.parse(certificate.validFrom) > now.getTime()) return -1;
  return (Date.parse(certificate.validTo) - now.getTime()) / DAY;
}

async function issueLeaf(ca: Pair, request: LeafRequest, now: Date): Promise<Pair> {
  const { commonName, organizations = [], server, client = server === undefined } = request;
  const authority = forge.pki.certificateFromPem(ca.pem);
  const subject = [
    ...organizations.map((value) => ({ name: "organizationName", value })),
    { name: "commonName", value: commonName },
  ];
  const names = [
    ...(server?.dns ?? []).map((value) => ({ type: 2, value })),
    ...(server?.ip ?? []).map((ip) => ({ type: 7, ip })),
  ];
  return issue(now, LEAF_DAYS, subject, ca, [
    { name: "basicConstraints", cA: false, critical: true },
    { name: "keyUsage", digitalSignature: true, keyEncipherment: true, critical: true },
    { name: "extKeyUsage", serverAuth: server !== undefined, clientAuth: client },
    { name: "authorityKeyIdentifier", keyIdentifier: authority.generateSubjectKeyIdentifier().getBytes() },
    ...(names.length === 0 ? [] : [{ name: "subjectAltName", altNames: names }]),
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

function nameConstraints({ dns, ip }: PermittedNames): object {
  const { asn1 } = forge;
  const subtree = (tag: number, bytes: string) =>
    asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, [
      asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, false, bytes),
    ]);
  const permitted = asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0, true, [
    ...dns.map((name) => subtree(2, name)),
    ...ip.map((hex) => subtree(7, forge.util.hexToBytes(hex))),
  ]);
  const value = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, [permitted]);
  return { id: "2.5.29.30", critical: true, value: asn1.toDer(value).getBytes() };
}
