/** Variables that a daemon may see of the caller's environment: a long-running process keeps no passphrase or token. */
const PASSED = /^(?:HOME|LANG|LC_ALL|TZ|XDG_RUNTIME_DIR|SSL_CERT_FILE|SSL_CERT_DIR|(?:https?|all|no)_proxy)$/i;

/** The environment that background services start with. The caller's PATH is followed by where distributions keep daemons. */
export function daemonEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([name, value]) => PASSED.test(name) && value !== undefined);
  const path = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
  return { ...Object.fromEntries(entries as [string, string][]), PATH: path.replace(/^:/, "") };
}
