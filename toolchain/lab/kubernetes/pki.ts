import { generateKeyPair } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { writeFileAtomic } from "../../files.ts";
import { ensureAuthority, ensureCertificate, type LeafRequest, type Pair } from "../../services/certificates.ts";
import { DNS_USER, NODE_NAME, SERVICE_ADDRESS } from "./names.ts";

const LOOPBACK = { dns: ["localhost"], ip: ["127.0.0.1"] };

export interface ClusterAddresses {
  /** Where nodes and pods reach the API. */
  readonly api: string;
  /** Where the API reaches the node. */
  readonly node: string;
}

/** Who has a certificate in the cluster: names and groups as Kubernetes' own documentation gives them (PKI certificates and requirements). */
const leavesAt = ({ api, node }: ClusterAddresses) =>
  ({
    etcd: { commonName: "etcd", server: LOOPBACK, client: true },
    apiserver: {
      commonName: "kube-apiserver",
      server: {
        dns: [
          "localhost",
          "kubernetes",
          "kubernetes.default",
          "kubernetes.default.svc",
          "kubernetes.default.svc.cluster.local",
        ],
        ip: ["127.0.0.1", api, SERVICE_ADDRESS],
      },
    },
    "apiserver-client": { commonName: "kube-apiserver", organizations: ["system:masters"] },
    "controller-manager": { commonName: "system:kube-controller-manager", server: LOOPBACK, client: true },
    scheduler: { commonName: "system:kube-scheduler", server: LOOPBACK, client: true },
    kubelet: {
      commonName: `system:node:${NODE_NAME}`,
      organizations: ["system:nodes"],
      server: { dns: [], ip: [node] },
      client: true,
    },
    "kube-proxy": { commonName: "system:kube-proxy" },
    coredns: { commonName: DNS_USER },
    admin: { commonName: "keelson-lab-admin", organizations: ["system:masters"] },
  }) as const satisfies Record<string, LeafRequest>;

export type LeafName = keyof ReturnType<typeof leavesAt>;

/** The cluster's certificates. */
export interface Pki {
  readonly ca: Pair;
  readonly leaves: Readonly<Record<LeafName, Pair>>;
}

/**
 * The certificates of a cluster, by a CA of its own: who has one signed by it may be anybody in the cluster, so it is
 * not the registry's. What is missing or near its end is made anew.
 */
export async function ensurePki(directory: string, addresses: ClusterAddresses, now: Date): Promise<Pki> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const files = (name: string) => ({
    certificate: join(directory, `${name}.pem`),
    key: join(directory, `${name}.key`),
  });
  const permitted = {
    dns: ["localhost", "kubernetes", "default", "svc", "local"],
    ip: ["7f000000ff000000", "0a000000ff000000"], // loopback, and the private network of pods and services
  };
  const ca = await ensureAuthority(files("ca"), "keelson lab cluster CA", permitted, now);
  const leaf = async ([name, request]: [string, LeafRequest]) =>
    [name, await ensureCertificate(files(name), ca, request, now)] as const;
  const leaves = await Promise.all(Object.entries(leavesAt(addresses)).map(leaf));
  // Signs the tokens of service accounts.
  const { key } = files("service-account");
  if (!existsSync(key)) await writeFileAtomic(key, await newKey(), 0o600);
  return { ca, leaves: Object.fromEntries(leaves) as Record<LeafName, Pair> };
}

async function newKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  return privateKey;
}
