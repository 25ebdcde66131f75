import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { execa } from "execa";
import { writeFileChanged } from "../files.ts";

/** Where build steps see the host's trust: below /dev, a tmpfs in every step, so that no layer keeps a trace. */
export const IN_CONTAINER = "/dev/.keelson";

/** Bundles of trusted CAs, in the order of distributions: Debian, Fedora, SUSE, Alpine. */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** Variables by which tools take a bundle of CAs; all get the same file. */
const BUNDLE_VARIABLES = [
  "SSL_CERT_FILE", // OpenSSL, Go, Ruby, rustls-native-certs, uv
  "CURL_CA_BUNDLE",
  "NODE_EXTRA_CA_CERTS",
  "npm_config_cafile",
  "PIP_CERT",
  "REQUESTS_CA_BUNDLE",
  "GIT_SSL_CAINFO",
  "CARGO_HTTP_CAINFO",
  "AWS_CA_BUNDLE",
  "DENO_CERT",
] as const;

/** Variables that say where packages come from, or the way out; handed on as the host has them. */
const PROXIES = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"];
const MIRRORS = [
  "PIP_INDEX_URL",
  "PIP_EXTRA_INDEX_URL",
  "PIP_TRUSTED_HOST",
  "UV_DEFAULT_INDEX",
  "UV_INDEX_URL",
  "UV_EXTRA_INDEX_URL",
  "npm_config_registry",
  "NPM_CONFIG_REGISTRY",
  "YARN_REGISTRY",
  "YARN_NPM_REGISTRY_SERVER",
  "GOPROXY",
  "GOSUMDB",
  "GONOSUMDB",
  "GONOPROXY",
  "GOPRIVATE",
  "CARGO_HTTP_PROXY",
  "CARGO_REGISTRIES_CRATES_IO_PROTOCOL",
  "RUSTUP_DIST_SERVER",
  "RUSTUP_UPDATE_ROOT",
];
const GO_KEYS = ["GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE"];
const PIP_KEYS = ["index-url", "extra-index-url", "trusted-host"];
const NPM_KEYS = /^(?:registry|@[^:=\s]+:registry|proxy|https-proxy|noproxy)$/;
/** Ways to the mirror and its freshness; never sources, keys or what apt may run. */
const APT_KEYS =
  /^Acquire::(?:https?::(?:Proxy(?:::[^\s]+)?|Timeout|Pipeline-Depth)|Check-Valid-Until|Check-Date|Max-FutureTime|Retries) "/;

/** What a build step gets: files at {@link IN_CONTAINER}, variables unless its Dockerfile sets them. */
export interface HostTrust {
  readonly files: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** Settings that hold credentials, by name alone: they stay on the host. */
  readonly withheld: readonly string[];
}

/** What the host's settings say; read by {@link readHostSettings}. */
export interface HostSettings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** PEM texts that the host trusts. */
  readonly bundles: readonly string[];
  /** Contents of pip's, npm's and go's configuration, from the lowest precedence to the highest. */
  readonly pip: readonly string[];
  readonly npm: readonly string[];
  readonly go: string;
  /** What `apt-config dump` prints. */
  readonly apt: string;
}

/**
 * Works out what build steps are given of the host: its CAs, package mirrors and proxies, so that any Dockerfile
 * builds unchanged behind them. Credentials of mirrors are withheld, for a step could write them into a layer; a proxy
 * keeps its own, for nothing gets out without.
 * @example hostTrust(await readHostSettings()).env.SSL_CERT_FILE // "/dev/.keelson/ca.pem"
 */
export function hostTrust(host: HostSettings): HostTrust {
  const withheld: string[] = [];
  const files: Record<string, string> = { "ca.pem": certificates(host.bundles) };
  const env: Record<string, string> = {};
  const at = (file: string) => `${IN_CONTAINER}/${file}`;
  for (const name of BUNDLE_VARIABLES) env[name] = at("ca.pem");

  const mirror = (name: string, value: string | undefined) => {
    if (value === undefined || value === "") return;
    if (hasCredentials(value)) withheld.push(name);
    else env[name] = value;
  };
  for (const key of GO_KEYS) mirror(key, keyValue(host.go, key));
  for (const name of MIRRORS) mirror(name, host.env[name]);
  for (const name of PROXIES.flatMap((n) => [n, n.toUpperCase()])) {
    const value = host.env[name];
    if (value !== undefined && value !== "") env[name] = value;
  }

  const pip = settings(host.pip, (key) => PIP_KEYS.includes(key.replaceAll("_", "-")), "pip", withheld);
  if (pip.length > 0) {
    files["pip.conf"] = `[global]\n${pip.join("\n")}\n`;
    env.PIP_CONFIG_FILE = at("pip.conf");
  }
  const npm = settings(host.npm, (key) => NPM_KEYS.test(key), "npm", withheld);
  if (npm.length > 0) {
    files.npmrc = `${npm.join("\n")}\n`;
    env.npm_config_globalconfig = at("npmrc");
  }
  // apt reads APT_CONFIG before all other configuration, so what an image sets itself wins.
  const apt = host.apt.split("\n").filter((line) => APT_KEYS.test(line));
  files["apt.conf"] = `${[`Acquire::https::CAInfo "${at("ca.pem")}";`, ...apt].join("\n")}\n`;
  env.APT_CONFIG = at("apt.conf");
  files.wgetrc = `ca_certificate = ${at("ca.pem")}\n`;
  env.WGETRC = at("wgetrc");
  return { files, env, withheld: withheld.toSorted() };
}

/** Reads what {@link hostTrust} works on. What is absent or unreadable counts as empty. */
export async function readHostSettings(): Promise<HostSettings> {
  const env = process.env;
  const home = homedir();
  const read = (file: string | undefined) => (file === undefined ? "" : readFile(file, "utf8").catch(() => ""));
  const readAll = (...files: (string | undefined)[]) => Promise.all(files.map(read));
  const config = env.XDG_CONFIG_HOME ?? join(home, ".config");

  const own = (await readAll(env.SSL_CERT_FILE, ...BUNDLES)).find((text) => text.includes("-----BEGIN CERT"));
  const apt = await execa("apt-config", ["dump"], { reject: false });
  return {
    env,
    bundles: [own ?? rootCertificates.join("\n"), await read(env.NODE_EXTRA_CA_CERTS)],
    pip: await readAll("/etc/pip.conf", join(home, ".pip/pip.conf"), join(config, "pip/pip.conf"), env.PIP_CONFIG_FILE),
    npm: await readAll("/etc/npmrc", join(home, ".npmrc")),
    go: await read(join(config, "go/env")),
    apt: apt.failed ? "" : apt.stdout,
  };
}

/** Writes the files, and the variables as `env.json`; what is no longer there goes. Steps that run keep what they have. */
export async function writeHostTrust(directory: string, trust: HostTrust): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const files = { ...trust.files, "env.json": `${JSON.stringify(trust.env)}\n` };
  for (const [name, content] of Object.entries(files)) await writeFileChanged(join(directory, name), content);
  for (const name of await readdir(directory))
    if (!Object.hasOwn(files, name)) await rm(join(directory, name), { force: true, recursive: true });
}

/** The certificates of some PEM texts, each once, and nothing else that stands in them, such as a key. */
function certificates(texts: readonly string[]): string {
  const blocks = texts.flatMap(
    (text) => text.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? [],
  );
  return `${[...new Set(blocks.map((block) => block.replaceAll("\r", "")))].join("\n")}\n`;
}

/** The wanted `key = value` lines of ini-like texts, later texts winning; those with credentials are withheld. */
function settings(
  texts: readonly string[],
  wanted: (key: string) => boolean,
  tool: string,
  withheld: string[],
): string[] {
  const found = new Map<string, string>();
  for (const line of texts.flatMap((text) => text.split(/\r?\n/))) {
    const [, key, value] = /^\s*([^#;=\s[][^=\s]*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined || value === undefined || value === "") continue;
    if (/:_|^_|password|^\/\//i.test(key)) withheld.push(`${tool} ${key}`);
    else if (wanted(key) && hasCredentials(value) && !/proxy/i.test(key)) withheld.push(`${tool} ${key}`);
    else if (wanted(key)) found.set(key, value);
  }
  return [...found].map(([key, value]) => `${key} = ${value}`);
}

function keyValue(text: string, key: string): string | undefined {
  return text
    .split("\n")
    .find((line) => line.startsWith(`${key}=`))
    ?.slice(key.length + 1)
    .trim();
}

/** Whether a URL in the text has a user before its host. */
function hasCredentials(text: string): boolean {
  return /:\/\/[^/\s,|]*@/.test(text);
}
