import { type Dirent, readdirSync, readFileSync, realpathSync } from "node:fs";
import { isAbsolute, join, sep } from "node:path";
import type { Finding } from "../core/finding.ts";
import { pageFaults } from "../core/host/pages.ts";
import type { ServicesConfig } from "./hosts.ts";

/** Workloads with the texts of their pages in place of the folder. */
export type PagedServices = Readonly<
  Record<
    string,
    Omit<ServicesConfig[string], "errorPages"> & { readonly errorPages?: Readonly<Record<string, string>> }
  >
>;

/**
 * Reads the folders of `errorPages`, and tells all that is wrong with them; a page that is wrong is left out.
 * @param root of the project, which they are in
 */
export function readErrorPages(
  root: string,
  services: ServicesConfig,
): { readonly services: PagedServices; readonly findings: readonly Finding[] } {
  const findings: Finding[] = [];
  const paged = Object.entries(services).map(([name, { errorPages: folder, ...service }]) => {
    if (folder === undefined) return [name, service] as const;
    const { pages, faults } = readPages(root, folder);
    findings.push(
      ...faults.map(
        (message): Finding => ({
          rule: "host/error-pages",
          severity: "error",
          subject: `keelson:workloads.${name}.errorPages`,
          message,
          fix: "docs/hosts.md says what a folder of pages has",
        }),
      ),
    );
    return [name, { ...service, errorPages: pages }] as const;
  });
  return { services: Object.fromEntries(paged), findings };
}

function readPages(root: string, folder: string): { pages: Record<string, string>; faults: string[] } {
  const pages: Record<string, string> = {};
  const [place, entries] = listFolder(root, folder);
  if (typeof entries === "string") return { pages, faults: [entries] };
  const faults = entries.flatMap((entry) => {
    const { name } = entry;
    if (!entry.isFile()) return [`${folder}/${name} is no file`];
    const text = decode(readFileSync(join(place, name)));
    if (text === undefined) return [`${folder}/${name} is no UTF-8 text`];
    const wrong = pageFaults(name, text);
    if (wrong.length === 0) pages[name] = text;
    return wrong.map((fault) => `${folder}/${fault}`);
  });
  return { pages, faults: entries.length === 0 ? [`${folder} has no page`] : faults };
}

/** Its entries, but for hidden ones, or what is wrong with it. */
function listFolder(root: string, folder: string): [place: string, entries: readonly Dirent[] | string] {
  if (isAbsolute(folder)) return ["", `expected a folder of the project, found ${JSON.stringify(folder)}`];
  try {
    const [project, place] = [realpathSync(root), realpathSync(join(root, folder))];
    if (!place.startsWith(`${project}${sep}`)) return [place, `${folder} is outside of the project`];
    const entries = readdirSync(place, { withFileTypes: true }).filter(({ name }) => !name.startsWith("."));
    return [place, entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
    return ["", `${folder} is no folder of the project`];
  }
}

function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
