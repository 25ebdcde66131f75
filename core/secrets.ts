/** A place where something that looks like a secret stands. Never the secret itself. */
export interface SecretHit {
  /** What it looks like. @example "private-key", "github-token" */
  readonly kind: string;
  /** From 1; absent where the file as a whole is meant. */
  readonly line?: number;
}

interface Pattern {
  readonly kind: string;
  readonly pattern: RegExp;
}

/**
 * What providers themselves publish as the form of their tokens; each has a prefix that nothing else has, so that a
 * hit means something. Sources: GitHub docs "About authentication to GitHub: token formats"; AWS IAM reference
 * "Unique identifiers"; npm docs "About access tokens"; Slack docs "Token types"; Google Cloud "API keys"; GitLab docs
 * "Token prefixes"; Stripe docs "API keys"; PyPI help "API tokens"; Hugging Face docs "User access tokens"; RFC 7468 for PEM.
 */
const TEXT: readonly Pattern[] = [
  {
    kind: "private-key",
    pattern: /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\s*(?:[A-Za-z-]+: [^\n]*\n\s*)*[A-Za-z0-9+/=\\]{20}/,
  },
  { kind: "github-token", pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b/ },
  { kind: "gitlab-token", pattern: /\bglpat-[A-Za-z0-9_-]{20,}/ },
  { kind: "npm-token", pattern: /\bnpm_[A-Za-z0-9]{36}\b/ },
  { kind: "npm-token", pattern: /:_auth(?:Token)?\s*=\s*(?!["']?\$\{)["']?[A-Za-z0-9+/=_-]{16,}/ },
  { kind: "aws-key", pattern: /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/ },
  { kind: "slack-token", pattern: /\bxox[abeoprs]-(?:\d+-)+[A-Za-z0-9-]{10,}/ },
  { kind: "slack-webhook", pattern: /hooks\.slack\.com\/services\/T[A-Z0-9]{8,}\/B[A-Z0-9]{8,}\/[A-Za-z0-9]{20,}/ },
  { kind: "google-api-key", pattern: /\bAIza[A-Za-z0-9_-]{35}\b/ },
  { kind: "stripe-key", pattern: /\b[rs]k_live_[A-Za-z0-9]{24,}\b/ },
  { kind: "anthropic-key", pattern: /\bsk-ant-(?:api|admin|oat)\d\d-[A-Za-z0-9_-]{80,}/ },
  { kind: "huggingface-token", pattern: /\bhf_[A-Za-z0-9]{34,}\b/ },
  { kind: "pypi-token", pattern: /\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}/ },
];

/** Any text that holds one of these may hold a secret: one cheap pass decides whether the patterns are worth running. */
const HINT =
  /PRIVATE KEY|gh[pousr]_|github_pat_|glpat-|npm_|_auth|AKIA|ASIA|xox[abeoprs]-|hooks\.slack|AIza|[rs]k_live_|sk-ant-|hf_|pypi-AgEI/;

const MASK = "[secret]";

/** AWS's documentation uses these keys as examples; they open nothing. */
const EXAMPLES = /AKIAIOSFODNN7EXAMPLE|AKIAI44QH8DHBEXAMPLE|EXAMPLE/;

/** Files that hold a secret by their very name. Public halves (`.pub`) and certificates are none. */
const NAMES: readonly Pattern[] = [
  { kind: "ssh-key", pattern: /(?:^|\/)id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?$/ },
  { kind: "env-file", pattern: /(?:^|\/)\.env(?:\.(?!example$|sample$|template$|dist$|defaults?$)[\w-]+)*$/ },
  { kind: "netrc", pattern: /(?:^|\/)\.netrc$/ },
  { kind: "git-credentials", pattern: /(?:^|\/)\.git-credentials$/ },
  { kind: "aws-credentials", pattern: /(?:^|\/)\.aws\/credentials$/ },
  { kind: "docker-config", pattern: /(?:^|\/)\.docker\/config\.json$/ },
  { kind: "kube-config", pattern: /(?:^|\/)\.kube\/config$/ },
  { kind: "keystore", pattern: /\.(?:pfx|p12|jks|keystore)$/ },
];

/**
 * Secret-like text, with the line of each find.
 * @example findSecrets("a\nkey=AKIA…") // [{ kind: "aws-key", line: 2 }]
 */
export function findSecrets(text: string): SecretHit[] {
  if (!HINT.test(text)) return [];
  return TEXT.flatMap(({ kind, pattern }) => {
    const hits: SecretHit[] = [];
    for (const match of text.matchAll(new RegExp(pattern, "g"))) {
      if (!EXAMPLES.test(match[0])) hits.push({ kind, line: lineOf(text, match.index) });
    }
    return hits;
  });
}

/** A whole key, which may be cut off. */
const KEY = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [^\n-]*-----|$)/g;
/** What stands between user and host of a URL; a port and a path with an @ are none. */
const USERINFO = /(:\/\/[^\s:@/?#]*:)(?!\d{1,5}[/?#\s])[^\s"`<>]+@/g;

/**
 * Text in which passwords of URLs, and what {@link findSecrets} finds, are written `[secret]`.
 * @example maskSecrets("can't reach postgresql://todo:hunter2@db") // "can't reach postgresql://todo:[secret]@db"
 */
export function maskSecrets(text: string): string {
  const masked = text.replaceAll(KEY, MASK).replaceAll(USERINFO, `$1${MASK}@`);
  if (!HINT.test(masked)) return masked;
  return TEXT.reduce(
    (left, { pattern }) => left.replaceAll(new RegExp(pattern, "g"), (found) => (EXAMPLES.test(found) ? found : MASK)),
    masked,
  );
}

/** What kind of secret a file of this name holds, if any. @example secretName("root/.ssh/id_rsa") // "ssh-key" */
export function secretName(path: string): string | undefined {
  return NAMES.find(({ pattern }) => pattern.test(path))?.kind;
}

/** Words that make a variable secret when they end its name, or stand before KEY or TOKEN at the end. */
const VARIABLE =
  /(?:PASSWORD|PASSWD|(?:^|_)(?:PWD|PASS|SECRET|TOKEN|CREDENTIALS?|(?:API|ACCESS|AUTH|PRIVATE|SIGNING|ENCRYPTION)_?KEY|SECRET_?KEY))$/i;

/** A URL that names a user and a password (RFC 3986, 3.2.1); one that a variable fills in is none. */
const LOGIN_IN_URL = /[a-z][a-z0-9+.-]*:\/\/[^\s:/?#@]*:(?!\$)[^\s/?#@]+@/i;

/** Whether a line has a URL with a password in it. @example hasLoginInUrl("pip install -i https://me:pw@host/simple") // true */
export function hasLoginInUrl(text: string): boolean {
  return LOGIN_IN_URL.test(text);
}

/**
 * Whether a variable of an image holds a secret: a telling name with a value, or a value in a token's form.
 * A value that only says where the secret is (a file, another variable) is none.
 * @example isSecretVariable("DB_PASSWORD", "hunter2") // true
 */
export function isSecretVariable(name: string, value: string): boolean {
  if (findSecrets(value).length > 0 || hasLoginInUrl(value)) return true;
  if (value === "" || /^(?:\$|\/|<|true$|false$|none$|changeme$)/i.test(value)) return false;
  return VARIABLE.test(name);
}

function lineOf(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < index; at = text.indexOf("\n", at + 1)) line++;
  return line;
}
