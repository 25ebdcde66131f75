/**
 * What an installer or a verifyCmd may see of the loader's environment: how to reach the network, which mirrors to use,
 * the locale. Everything else, above all secrets, stays out.
 */
const ALLOWED: readonly RegExp[] = [
  /^(LANG|LC_[A-Z]+|TZ|TERM|PATH)$/,
  // Then Python's compiled files go by content, and not by a time that an image sets anew.
  /^SOURCE_DATE_EPOCH$/,
  /^(https?|no|all)_proxy$/i,
  /^(SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|NODE_USE_ENV_PROXY|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|GIT_SSL_CAINFO)$/,
  /^PIP_(CERT|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|CONFIG_FILE)$/,
  /^UV_(INDEX_URL|DEFAULT_INDEX|EXTRA_INDEX_URL|NATIVE_TLS)$/,
  /^npm_config_(registry|cafile|userconfig|globalconfig)$/i,
  /^CARGO_(HTTP_[A-Z_]+|NET_[A-Z_]+|REGISTRIES_[A-Z0-9_]+_(INDEX|PROTOCOL)|REGISTRY_DEFAULT)$/,
  /^RUSTUP_(DIST_SERVER|UPDATE_ROOT)$/,
  /^(PLAYWRIGHT|PATCHRIGHT)_DOWNLOAD_HOST$/,
  /^PLAYWRIGHT_CHROMIUM_DOWNLOAD_HOST$/,
  /^(HF_ENDPOINT|GOPROXY|APT_CONFIG|TORCH_INDEX)$/,
];

/**
 * The environment of a command that the loader runs.
 * @example allowedEnvironment({ PATH: "/usr/bin", API_TOKEN: "…" }) // { PATH: "/usr/bin" }
 */
export function allowedEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(env))
    if (value !== undefined && ALLOWED.some((pattern) => pattern.test(name))) out[name] = value;
  out.PATH ??= "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return out;
}

/** Puts directories before those of a PATH. */
export function withPath(env: Readonly<Record<string, string>>, first: readonly string[]): Record<string, string> {
  return { ...env, PATH: [...first, env.PATH ?? ""].filter((p) => p !== "").join(":") };
}

/** PATH without a directory: a command must not meet its own shim. */
export function withoutPath(env: Readonly<Record<string, string>>, directory: string): Record<string, string> {
  return {
    ...env,
    PATH: (env.PATH ?? "")
      .split(":")
      .filter((p) => p !== directory)
      .join(":"),
  };
}
