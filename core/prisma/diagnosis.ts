/** Which of its troubles a program with Prisma tells of. */
export interface PrismaDiagnosis {
  readonly kind:
    | "not-generated"
    | "wrong-target"
    | "no-openssl"
    | "no-adapter"
    | "unreachable"
    | "refused"
    | "no-database"
    | "not-migrated";
  /** In plain words, with what the log names. */
  readonly message: string;
  readonly fix: string;
}

/** By what Prisma 4 to 7 print, the most telling first: a client without its engine prints that it looked for OpenSSL, too. */
const SIGNS: readonly {
  readonly kind: PrismaDiagnosis["kind"];
  readonly sign: RegExp;
  readonly message: (found: RegExpExecArray) => string;
  readonly fix: string;
}[] = [
  {
    kind: "not-generated",
    sign: /@prisma\/client did not initialize yet|Cannot find module '(?:\.prisma\/client\/[\w.-]+|[^']*generated\/prisma[^']*)'/,
    message: () => "prisma generate never ran where the image was built",
    fix: "add RUN npx prisma generate after the dependencies and the schema are copied, and copy its output into the last stage",
  },
  {
    kind: "no-openssl",
    sign: /(libssl\.so\.[\d.]+): cannot open shared object file|Error loading shared library (libssl\.so\.[\d.]+)|failed to detect the libssl\/openssl version/,
    message: (found) =>
      `the image has no ${found[1] ?? found[2] ?? "OpenSSL"}, which Prisma's engine is linked against`,
    fix: "install OpenSSL in the image (Debian: libssl3, Alpine: openssl), then run `keelson fix prisma`: the target follows from its version",
  },
  {
    kind: "wrong-target",
    sign: /could not locate the Query Engine for runtime "([^"]+)"|Query engine library for current platform "([^"]+)"|Query Engine binary for current platform "([^"]+)"/i,
    message: (found) => `the image has no engine for ${found[1] ?? found[2] ?? found[3]}, which it runs on`,
    fix: "run `keelson fix prisma`, then build the image anew",
  },
  {
    kind: "no-adapter",
    sign: /Using engine type "client" requires either "adapter" or "accelerateUrl"|needs to be constructed with a non-empty, valid `?PrismaClientOptions/,
    message: () => "the client has no engine and was given no driver adapter",
    fix: "pass one: new PrismaClient({ adapter: new PrismaPg({ connectionString }) })",
  },
  {
    kind: "unreachable",
    sign: /Can't reach database server at `?([^\s`]+)`?|\bP1001\b|connect (?:ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH) ?(\S*)|getaddrinfo (?:ENOTFOUND|EAI_AGAIN) ?(\S*)/,
    message: (found) => {
      const server = found[1] ?? found[2] ?? found[3];
      return `the client is whole, but its database${server ? ` ${server}` : ""} does not answer`;
    },
    fix: "check the host and port in DATABASE_URL, that the database runs, and that a NetworkPolicy lets this through",
  },
  {
    kind: "refused",
    sign: /\bP1000\b|Authentication failed against database server|password authentication failed for user "?([^"\s]+)"?/,
    message: (found) => `the database refuses the user${found[1] ? ` ${found[1]}` : ""} or its password`,
    fix: "check the Secret that DATABASE_URL comes from",
  },
  {
    kind: "no-database",
    sign: /\bP1003\b|database "([^"]+)" does not exist|Database `([^`]+)` does not exist/,
    message: (found) => `the database server has no database ${found[1] ?? found[2] ?? "of that name"}`,
    fix: "create it, or correct the name at the end of DATABASE_URL",
  },
  {
    kind: "not-migrated",
    sign: /\bP202[12]\b|relation "([^"]+)" does not exist|The table `([^`]+)` does not exist/,
    message: (found) =>
      `the database has no table ${found[1] ?? found[2] ?? "of that name"}: its migrations did not run`,
    fix: "run the migrations: the workload's `migrate` does before each rollout, `keelson exec` at any time; see the migration Job's log",
  },
];

/**
 * What a log says of Prisma; undefined where it says nothing known.
 * @example diagnosePrisma('… could not locate the Query Engine for runtime "linux-musl-openssl-3.0.x"')?.kind // "wrong-target"
 */
export function diagnosePrisma(log: string): PrismaDiagnosis | undefined {
  for (const { kind, sign, message, fix } of SIGNS) {
    const found = sign.exec(log);
    if (found !== null) return { kind, message: message(found), fix };
  }
  return undefined;
}
