import { existsSync, mkdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { type Home, home, projectRoot } from "./home.ts";
import { binFolder, linkOwn } from "./links.ts";
import { DEV_PASSPHRASE } from "./passphrase.ts";

/** Where Go and OpenSSL look for CA certificates by default (Debian and others; Red Hat's). */
const SYSTEM_CERTIFICATES = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/**
 * The variables with which `pulumi` works on this checkout's stacks as `keelson up` does, on the same state. Makes the
 * state's folder and the links on PATH.
 * @example execa("pulumi", ["preview", "-s", "dev"], { env: pulumiEnvironment() })
 */
export function pulumiEnvironment(root: string = projectRoot()): Record<string, string> {
  mkdirSync(join(root, ".keelson", "state"), { recursive: true });
  linkOwn(root);
  return environmentFor(root, home(), process.env);
}

/** {@link pulumiEnvironment} without its effects. What the user has set stays, unless another checkout's `keelson env` set it. */
export function environmentFor(root: string, h: Home, user: NodeJS.ProcessEnv): Record<string, string> {
  const backend = user.PULUMI_BACKEND_URL;
  const inherited = user.KEELSON_ROOT !== undefined && backend === stateUrl(user.KEELSON_ROOT);
  return {
    PATH: pathWith(root, user.PATH ?? ""),
    KEELSON_ROOT: root,
    KEELSON_NODE: process.execPath,
    PULUMI_HOME: h.pulumi,
    ...credentials(h, user),
    PULUMI_BACKEND_URL: backend && !inherited ? backend : stateUrl(root),
    ...passphrase(user),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK: "true",
    NODE_COMPILE_CACHE: user.NODE_COMPILE_CACHE || h.compileCache,
    SSL_CERT_DIR: certificates(h, user),
  };
}

/**
 * A checkout's state as the local backend's URL. `metadata=skip` of gocloud's fileblob: the file of attributes that it
 * would write beside each of the state's is not written whole or not at all, and one that is cut short makes the state
 * unreadable.
 * @example stateUrl("/a b") // "file:///a%20b/.keelson/state?metadata=skip"
 */
export function stateUrl(root: string): string {
  return backendUrl(join(root, ".keelson", "state"));
}

/** A folder as Pulumi's backend, whatever its name has in it. */
export function backendUrl(folder: string): string {
  return `file://${folder.split("/").map(encodeURIComponent).join("/")}?metadata=skip`;
}

/**
 * PATH with this checkout's tools before all, and without what stands in it for a while alone: other checkouts' tools,
 * and the folders that `npm run` puts there, of the project and of every folder above it, which anybody may write in.
 */
function pathWith(root: string, path: string): string {
  const bin = binFolder(root);
  const passing = new Set(above(root).map((folder) => join(folder, "node_modules", ".bin")));
  const others = path
    .split(delimiter)
    .filter((folder) => folder !== "" && !passing.has(folder) && !/\/(?:\.keelson\/bin|node-gyp-bin)$/.test(folder));
  return [bin, ...others].join(delimiter);
}

/** A folder and all that it lies in. */
function above(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...above(parent)];
}

/** A login to Pulumi Cloud or to another backend outlives the change of PULUMI_HOME. */
function credentials(h: Home, user: NodeJS.ProcessEnv): Record<string, string> {
  if (user.PULUMI_CREDENTIALS_PATH) return { PULUMI_CREDENTIALS_PATH: user.PULUMI_CREDENTIALS_PATH };
  const theirs = user.PULUMI_HOME || join(user.HOME ?? "/", ".pulumi");
  return theirs !== h.pulumi && existsSync(join(theirs, "credentials.json")) ? { PULUMI_CREDENTIALS_PATH: theirs } : {};
}

function passphrase(user: NodeJS.ProcessEnv): Record<string, string> {
  if (user.PULUMI_CONFIG_PASSPHRASE_FILE) return {};
  return { PULUMI_CONFIG_PASSPHRASE: user.PULUMI_CONFIG_PASSPHRASE ?? DEV_PASSPHRASE };
}

/** The folder of the embedded registry's CA beside the system's; a folder that is not there yet does no harm. */
function certificates(h: Home, user: NodeJS.ProcessEnv): string {
  const folders = user.SSL_CERT_DIR
    ? user.SSL_CERT_DIR.split(delimiter)
    : SYSTEM_CERTIFICATES.filter((f) => existsSync(f));
  return [...new Set([...folders, join(h.services, "tls", "trust")])].join(delimiter);
}
