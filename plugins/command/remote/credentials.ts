import { connect } from "node:net";
import type { AnyAuthMethod, AuthenticationType, ParsedKey } from "ssh2";
import ssh2 from "ssh2";
import { CommandFailure } from "../failure.ts";
import type { Endpoint } from "./connection.ts";

/** What a login is made of, read and found right before anything is dialled. */
export interface Credentials {
  readonly hostKey: ParsedKey | undefined;
  /** In the order in which they are tried. */
  readonly methods: readonly AnyAuthMethod[];
}

/**
 * Reads keys, and sees that the agent answers.
 * @param agent socket of the caller's own agent, for endpoints that name none.
 * @throws CommandFailure in the official provider's words.
 */
export async function credentialsOf(endpoint: Endpoint, agent: string | undefined): Promise<Credentials> {
  const { user: username, password } = endpoint;
  const hostKey = endpoint.hostKey === undefined ? undefined : parseHostKey(endpoint.hostKey);
  const methods: AnyAuthMethod[] = [];
  const key = privateKeyOf(endpoint);
  if (key !== undefined) methods.push({ type: "publickey", username, key });
  if (password !== undefined) {
    methods.push({ type: "password", username, password });
    methods.push({
      type: "keyboard-interactive",
      username,
      prompt: (_name, _instructions, _language, prompts, finish) => finish(prompts.map(() => password)),
    });
  }
  const socket = endpoint.agentSocketPath ?? agent;
  if (socket !== undefined) {
    await seeAgent(socket);
    // One method is tried once: with a key of its own, the agent's are not asked for.
    if (key === undefined) methods.push({ type: "agent", username, agent: socket });
  }
  return { hostKey, methods };
}

/** The method's name on the wire. */
export function methodName({ type }: AnyAuthMethod): AuthenticationType {
  return type === "agent" ? "publickey" : type;
}

function privateKeyOf({ privateKey, privateKeyPassword }: Endpoint): ParsedKey | undefined {
  if (privateKey === undefined) return undefined;
  const parsed = ssh2.utils.parseKey(privateKey, privateKeyPassword);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined) throw new CommandFailure("ssh: no key found");
  if (!(key instanceof Error)) {
    if (key.isPrivateKey()) return key;
    throw new CommandFailure("ssh: no key found");
  }
  if (/no passphrase given/i.test(key.message))
    throw new CommandFailure("ssh: this private key is passphrase protected");
  if (/bad (?:passphrase|decrypt)|integrity check failed/i.test(key.message))
    throw new CommandFailure("x509: decryption password incorrect");
  throw new CommandFailure("ssh: no key found");
}

/** The first key of the text; lines of comments may stand before it. */
function parseHostKey(text: string): ParsedKey {
  for (const line of text.split("\n").map((l) => l.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const parsed = ssh2.utils.parseKey(line);
    const key = Array.isArray(parsed) ? parsed[0] : parsed;
    if (key !== undefined && !(key instanceof Error)) return key;
  }
  throw new CommandFailure("failed to parse host key: ssh: no key found");
}

async function seeAgent(path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(path, () => {
      socket.end();
      resolve();
    });
    socket.on("error", (error: NodeJS.ErrnoException) =>
      reject(new CommandFailure(`dial unix ${path}: connect: ${systemError(error.code)}`)),
    );
  });
}

/** A system's error in words. */
export function systemError(code: string | undefined): string {
  return (code && ERRORS[code]) ?? code ?? "failed";
}

const ERRORS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by peer",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  ENOENT: "no such file or directory",
  ENOTSOCK: "socket operation on non-socket",
  ETIMEDOUT: "connection timed out",
};
