import { HOST_PROGRAM } from "./names.ts";
import { type HostEngine, NAME } from "./service.ts";

/** What the host program does. `apply` and `mount` read from standard input what there shall be, its secrets with it, the others nothing. */
export type HostVerb =
  | "setup"
  | "apply"
  | "rollback"
  | "follow"
  | "status"
  | "maintenance"
  | "live"
  | "logs"
  | "exec"
  | "mount"
  | "unmount"
  | "remove";

/**
 * The command line of an ssh session, safe for a shell: root's own, or by sudo without a password. Short: it is in front of what a
 * failed deploy says.
 * @param args more words, such as the service, or `--owner` and who deploys.
 * @example sessionCommand("rollback", "clawft", ["weft"])
 */
export function sessionCommand(verb: HostVerb, app: string, args: readonly string[] = []): string {
  return asRoot(words(verb, app, args));
}

/** The same for a person's session, on a host that may not have been set up: it says so, and who may not become root. */
export function askCommand(verb: HostVerb, app: string, args: readonly string[] = []): string {
  const none =
    "echo 'error: keelson is not on this host, or no more' >&2; echo '  bring the stack up that it is in' >&2; exit 127";
  return whereAbsent(none, rootOrRefuse(words(verb, app, args)));
}

/**
 * The command line of the session that takes an application off its host. It is well where the host's program is not there: on a machine
 * that was made anew, or cleaned by hand.
 */
export function removeCommand(app: string): string {
  return wherePresent(sessionCommand("remove", app));
}

/** A session that is well where the host's program is not there. */
export function wherePresent(session: string): string {
  return whereAbsent("echo 'keelson is not on this host: there is nothing to remove'", session);
}

/** @param none what is done where the host's program is not there @param session begins with `if` */
function whereAbsent(none: string, session: string): string {
  return `if [ ! -e ${HOST_PROGRAM} ]; then ${none}; el${session}`;
}

function words(verb: HostVerb, app: string, args: readonly string[]): string {
  return [HOST_PROGRAM, verb, name(app), ...args].map(shellWord).join(" ");
}

/** Last line of the host program: one that was cut off is not put in place. */
const PROGRAM_END = "# The end.";

/**
 * The command line of the first session: its standard input is the host program's text, which it puts in place whole and
 * then runs with `setup`. Safe to run again, and how the program is brought up to date.
 */
export function installCommand(app: string, engine: HostEngine = "docker"): string {
  const folder = HOST_PROGRAM.slice(0, HOST_PROGRAM.lastIndexOf("/"));
  const refuse = (why: string) => `{ rm -f "$new"; echo "error: ${why}; nothing was changed" >&2; exit 1; }`;
  const install = [
    `umask 022; mkdir -p ${folder} || exit 1`,
    // A file of its own: two applications may be set up at once.
    `new=$(mktemp ${HOST_PROGRAM}.XXXXXX) || exit 1`,
    `cat >"$new" || ${refuse("the program can't be written")}`,
    `[ "$(tail -n 1 "$new")" = "${PROGRAM_END}" ] || ${refuse("the program was cut off on its way")}`,
    `chmod 755 "$new" && mv "$new" ${HOST_PROGRAM} || exit 1`,
  ].join("; ");
  return rootOrRefuse(
    `sh -c ${shellWord(`${install}; exec ${HOST_PROGRAM} setup ${name(app)}${engine === "docker" ? "" : ` ${engine}`}`)}`,
  );
}

/** A command as root, by sudo where somebody else logs in. */
function asRoot(command: string): string {
  return `if [ "$(id -u)" = 0 ]; then exec ${command}; else exec sudo -n ${command}; fi`;
}

/** The same, and one line for who may do nothing there without a password. */
function rootOrRefuse(command: string): string {
  const who = "is not root, and sudo asks for a password or is not there; nothing was done";
  const fix = "log in as root, or let that user run sudo without a password (NOPASSWD in /etc/sudoers.d)";
  const refuse = `echo "error: $(id -un) ${who}" >&2; echo "  ${fix}" >&2; exit 1`;
  return `if [ "$(id -u)" = 0 ]; then exec ${command}; elif sudo -n -l >/dev/null 2>&1; then exec sudo -n ${command}; else ${refuse}; fi`;
}

/** One word of a POSIX shell. @example shellWord("it's") // "'it'\\''s'" */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function name(app: string): string {
  if (NAME.test(app)) return app;
  throw new RangeError(`expected an application's name, found ${JSON.stringify(app)}`);
}
