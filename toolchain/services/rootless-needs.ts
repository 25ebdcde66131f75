import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { findExecutable } from "../executable.ts";

/** One thing that a builder without root needs of the machine. */
export interface RootlessNeed {
  readonly name: string;
  readonly purpose: string;
  readonly ready: boolean;
  /** What was found. */
  readonly detail: string;
  /** What root does about it; absent where nothing is to be done. */
  readonly fix?: string;
}

/** What a machine has of it. Files are their text, undefined where they are not there. */
export interface RootlessSeen {
  readonly user: string;
  readonly uid: number;
  /** Paths of the programs that were found. */
  readonly programs: Readonly<Partial<Record<(typeof PROGRAMS)[number]["name"], string | undefined>>>;
  readonly subuid: string | undefined;
  readonly subgid: string | undefined;
  /** /proc/sys/user/max_user_namespaces */
  readonly maxNamespaces: string | undefined;
  /** /proc/sys/kernel/unprivileged_userns_clone: Debian's and Ubuntu's switch. */
  readonly clone: string | undefined;
  /** /proc/sys/kernel/apparmor_restrict_unprivileged_userns: Ubuntu's, since 23.10. */
  readonly apparmor: string | undefined;
}

const PROGRAMS = [
  { name: "rootlesskit", package: "rootlesskit", purpose: "starts the builder in a user namespace" },
  { name: "newuidmap", package: "uidmap", purpose: "gives a user namespace a range of user ids" },
  { name: "newgidmap", package: "uidmap", purpose: "gives a user namespace a range of group ids" },
] as const;

/** Ids that images may use: 0 to 65535, as Debian's own useradd gives a new user. */
const RANGE = 65_536;

/** What this machine has of what a builder without root needs. */
export async function seeRootless(): Promise<RootlessSeen> {
  const { username, uid } = userInfo();
  const read = (path: string) => readFile(path, "utf8").catch(() => undefined);
  const path = process.env.PATH ?? "";
  const [subuid, subgid, maxNamespaces, clone, apparmor] = await Promise.all(
    [
      "/etc/subuid",
      "/etc/subgid",
      "/proc/sys/user/max_user_namespaces",
      "/proc/sys/kernel/unprivileged_userns_clone",
      "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    ].map(read),
  );
  const programs = Object.fromEntries(PROGRAMS.map(({ name }) => [name, findExecutable(name, path)]));
  return { user: username, uid, programs, subuid, subgid, maxNamespaces, clone, apparmor };
}

/**
 * Judges it, one line for each need. Pure.
 * @example rootlessNeeds(await seeRootless()).filter((need) => !need.ready).map((need) => need.fix)
 */
export function rootlessNeeds(seen: RootlessSeen): RootlessNeed[] {
  return [...PROGRAMS.map((program) => judgeProgram(program, seen)), ...judgeRanges(seen), judgeNamespaces(seen)];
}

function judgeProgram({ name, package: from, purpose }: (typeof PROGRAMS)[number], seen: RootlessSeen): RootlessNeed {
  const path = seen.programs[name];
  if (path !== undefined) return { name, purpose, ready: true, detail: path };
  return { name, purpose, ready: false, detail: "missing", fix: `as root: apt-get install ${from}` };
}

function judgeRanges(seen: RootlessSeen): RootlessNeed[] {
  return (["subuid", "subgid"] as const).map((name) => {
    const count = rangeOf(seen[name] ?? "", seen);
    const about = { name, purpose: `/etc/${name}: the ids that build steps may have`, detail: `${count} ids` };
    if (count >= RANGE) return { ...about, ready: true };
    return { ...about, ready: false, fix: `as root: usermod --add-${name}s 100000-165535 ${seen.user}` };
  });
}

/** Ids of the largest range that is the user's. @see subuid(5) */
function rangeOf(text: string, { user, uid }: RootlessSeen): number {
  const counts = text
    .split("\n")
    .map((line) => line.trim().split(":"))
    .filter(([owner]) => owner === user || owner === String(uid))
    .map(([, , count]) => Number(count) || 0);
  return Math.max(0, ...counts);
}

function judgeNamespaces({ maxNamespaces, clone, apparmor }: RootlessSeen): RootlessNeed {
  const about = { name: "user namespaces", purpose: "let the builder be root of its own namespace alone" };
  const refused = (setting: string, value: string) => ({
    ...about,
    ready: false,
    detail: "switched off",
    fix: `as root: sysctl -w ${setting}=${value}`,
  });
  if (clone?.trim() === "0") return refused("kernel.unprivileged_userns_clone", "1");
  if (maxNamespaces?.trim() === "0") return refused("user.max_user_namespaces", "15000");
  if (apparmor?.trim() === "1") return refused("kernel.apparmor_restrict_unprivileged_userns", "0");
  return { ...about, ready: true, detail: "allowed" };
}
