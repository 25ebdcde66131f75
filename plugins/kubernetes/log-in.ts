import type { RequestOptions } from "node:https";
import { createSecureContext } from "node:tls";
import type { User } from "@kubernetes/client-node";
import { UserError } from "../../core/error.ts";
import { lastLines } from "../../core/kubernetes/trouble.ts";
import { shellWord } from "../../core/kubernetes/words.ts";
import type { Login } from "./kubeconfig.ts";

const ANEW = "get a new kubeconfig from whoever gave you this one";

/**
 * Puts into a request what the kubeconfig's user logs in with: a token, certificates, or what a credential helper hands out.
 * @throws UserError where that can't be had or used, with the helper's last words
 */
export async function logIn(login: Login, options: RequestOptions): Promise<void> {
  try {
    await login.config.applyToHTTPSOptions(options);
  } catch (error) {
    const [why, fix] = reason(login, error as NodeJS.ErrnoException);
    throw new UserError(`can't log in: ${why}`, fix);
  }
}

/** @throws UserError where certificates or keys are none */
export function checkCertificates({ user, context }: Login, { ca, cert, key, pfx, passphrase }: RequestOptions): void {
  const given = Object.entries({ ca, cert, key, pfx, passphrase }).filter(([, value]) => value !== undefined);
  if (given.length === 0) return;
  try {
    createSecureContext(Object.fromEntries(given));
  } catch (error) {
    const whose = `the kubeconfig's certificates or key for user ${user} (context ${context})`;
    throw new UserError(
      `can't log in: ${whose} can't be used: ${(error as Error).message}`,
      `correct them, or ${ANEW}`,
    );
  }
}

function reason({ config, user, context }: Login, error: NodeJS.ErrnoException): readonly [why: string, fix: string] {
  const whose = `for user ${user} (context ${context})`;
  const exec = (config.getCurrentUser() as User | null)?.exec as
    | { readonly command: string; readonly args?: readonly string[] }
    | undefined;
  if (error.syscall === "open" || error.syscall === "read") {
    const why = error.code === "ENOENT" ? "it is not there" : error.message;
    return [
      `${error.path}, which the kubeconfig names ${whose}, can't be read: ${why}`,
      `correct the path, or ${ANEW}`,
    ];
  }
  if (exec === undefined) return [`${error.message} (user ${user}, context ${context})`, `log in again, or ${ANEW}`];
  const run = `${exec.command}, which the kubeconfig runs ${whose},`;
  const call = [exec.command, ...(exec.args ?? [])].map(shellWord).join(" ");
  if (error.code === "ENOENT" && error.syscall?.startsWith("spawn"))
    return [`${run} is not there`, `install it, or put it on PATH; else ${ANEW}`];
  if (error instanceof SyntaxError)
    return [`${run} prints no ExecCredential`, `correct the kubeconfig's command; try it: ${call}`];
  const said = lastLines(error.message, 3).join("; ");
  return [
    said === "" ? `${run} failed, and said nothing` : `${run} failed: ${said}`,
    `log in again as that program wants it; try it: ${call}`,
  ];
}
