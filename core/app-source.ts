import type { Finding } from "./finding.ts";

/** An application's sources, as far as its image asks something of them. */
export interface AppSource {
  /** What findings are about. */
  readonly subject: string;
  /** Folder, as people named it. */
  readonly folder: string;
  readonly files: readonly string[];
  /** Text by path. */
  readonly texts: ReadonlyMap<string, string>;
}

/** What keeps a Next.js application from being built into todo-frontend's image. */
export function nextFindings(source: AppSource): Finding[] {
  const missing = ["package.json", "package-lock.json"].filter((file) => !source.files.includes(file));
  if (missing.length > 0)
    return missing.map((file) =>
      finding(
        source,
        "lock",
        `${source.folder} has no ${file}`,
        file === "package.json" ? "name the folder of the application" : "write it: npm install --package-lock-only",
      ),
    );
  const config = source.files.find((file) => /^next\.config\.[cm]?[jt]s$/.test(file));
  const text = config === undefined ? "" : (source.texts.get(config) ?? "");
  if (/\boutput\s*:\s*["'`]standalone["'`]/.test(text)) return [];
  return [
    finding(
      source,
      "standalone",
      `${config ?? "next.config.ts"} of ${source.folder} ${config === undefined ? "is not there" : 'does not say output: "standalone"'}: there would be no server to put into the image`,
      'add output: "standalone"',
      config === undefined ? undefined : `${source.folder}/${config}`,
    ),
  ];
}

/** What keeps a Python application from being built into todo-backend's image. */
export function pythonFindings(source: AppSource & { readonly app: string }): Finding[] {
  const module = source.app.split(":")[0]?.replaceAll(".", "/") ?? "";
  const places = [`${module}.py`, `${module}/__init__.py`];
  const found: Finding[] = [];
  if (!places.some((file) => source.files.includes(file)))
    found.push(
      finding(
        source,
        "app",
        `${source.folder} has no ${places.join(" and no ")}, which ${source.app} would be in`,
        "name the application: app: package.module:variable",
      ),
    );
  const text = source.texts.get("requirements.lock");
  if (text === undefined) {
    found.push(
      finding(
        source,
        "lock",
        `${source.folder} has no requirements.lock`,
        "write it: uv pip compile --generate-hashes --universal --python-version 3.11 requirements.txt -o requirements.lock",
      ),
    );
    return found;
  }
  const loose = requirementLines(text).filter((line) => !/--hash=sha256:[0-9a-f]{64}/.test(line));
  if (loose.length > 0)
    found.push(
      finding(
        source,
        "hash",
        `requirements.lock of ${source.folder} pins ${loose.map((line) => line.split(/[\s;]/)[0]).join(", ")} by no hash`,
        "write it with --generate-hashes",
        `${source.folder}/requirements.lock`,
      ),
    );
  return found;
}

/** Requirements with their options, continuation lines joined; no comments. */
function requirementLines(text: string): string[] {
  return text
    .replaceAll(/\\\r?\n/g, " ")
    .split("\n")
    .map((line) => line.replace(/(?:^|\s)#.*$/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("-"));
}

function finding({ subject }: AppSource, check: string, message: string, fix: string, file?: string): Finding {
  const where = file === undefined ? {} : { where: { file } };
  return { rule: `source/${check}`, severity: "error", subject, message, fix, ...where };
}
