import { posix } from "node:path";

/** What a file of a foreign tree is read as. */
export type FileKind =
  | "dockerfile"
  | "compose"
  | "bake"
  | "skaffold"
  | "make"
  | "script"
  | "workflow"
  | "gitlab"
  | "values"
  | "manifest"
  | "template"
  | "env";

const TEMPLATE = /\.(?:j2|jinja2?|tmpl|tpl|template|erb|mustache|gotmpl|ejs|in|m4)$/i;
const DOCKERFILE = /^(?:dockerfile|containerfile)(?:[.\-_][^/]*)?$|[.\-_](?:dockerfile|containerfile)$/i;
/** Files about a Dockerfile, not Dockerfiles: Dockerfile.md, Dockerfile.dockerignore, dockerfile.go. */
const ABOUT_DOCKERFILE =
  /\.(?:dockerignore|md|rst|txt|ya?ml|json|toml|go|ts|tsx|js|mjs|cjs|py|rb|rs|java|sh|bash|svg|png|html|css|lock|orig|bak|swp|snap|golden|xml|nix|lua|vim|tmlanguage)$|~$/i;

/**
 * What to read a file as, from its path alone; undefined for what adopt has no use for.
 * @example fileKind("docker/Dockerfile.gpu") // "dockerfile"
 */
export function fileKind(path: string): FileKind | undefined {
  const name = posix.basename(path);
  if (DOCKERFILE.test(name.replace(TEMPLATE, "")) && TEMPLATE.test(name)) return "template";
  if (DOCKERFILE.test(name) && !ABOUT_DOCKERFILE.test(name)) return "dockerfile";
  if (name === ".env") return "env";
  if (/^docker-bake(?:[.\-_][^/]*)?\.(?:hcl|json)$/i.test(name)) return "bake";
  if (/^skaffold(?:[.\-_][^/]*)?\.ya?ml$/i.test(name)) return "skaffold";
  if (/^(?:docker-)?compose(?:[.\-_][^/]*)?\.ya?ml$/i.test(name)) return "compose";
  if (/(?:^|\/)\.(?:github|gitea|forgejo)\/(?:workflows|actions)\/.*\.ya?ml$/.test(path)) return "workflow";
  if (/^action\.ya?ml$/.test(name)) return "workflow";
  if (/^\.?gitlab-ci(?:[.\-_][^/]*)?\.ya?ml$|\.gitlab-ci\.ya?ml$/i.test(name)) return "gitlab";
  if (/^(?:values|values[.\-_][^/]*|[^/]*[.\-_]values)\.ya?ml$/i.test(name)) return "values";
  if (/^(?:gnu)?makefile(?:[.\-_][^/]*)?$|\.(?:mk|mak)$/i.test(name)) return "make";
  if (/\.(?:sh|bash|zsh|ksh)$/i.test(name) || /^justfile$/i.test(name)) return "script";
  if (/\.ya?ml$/i.test(name) && !/lock\.ya?ml$/i.test(name)) return "manifest";
  return undefined;
}

/** Folders that hold others' files or nothing to read. */
export const SKIPPED_FOLDERS: ReadonlySet<string> = new Set([
  ".git",
  ".hg",
  ".svn",
  "node_modules",
  ".terraform",
  "__pycache__",
  ".venv",
  ".tox",
  ".mypy_cache",
  ".pytest_cache",
  ".cache",
]);
