import { formatBytes } from "../core/size.ts";
import { type ImageGate, imageFinding } from "./gate.ts";

/** What package managers leave behind, and how it is avoided. */
const LEFTOVERS: readonly {
  readonly rule: string;
  readonly pattern: RegExp;
  readonly what: string;
  readonly fix: string;
}[] = [
  {
    rule: "apt",
    pattern: /^var\/(?:lib\/apt\/lists\/(?!lock$|partial\/)|cache\/apt\/(?:archives\/.*\.deb|.*\.bin)$)/,
    what: "apt's package lists or cache",
    fix: "use RUN --mount=type=cache,target=/var/lib/apt --mount=type=cache,target=/var/cache/apt, or delete them in the same step",
  },
  {
    rule: "apk",
    pattern: /^(?:var\/cache\/apk|etc\/apk\/cache)\//,
    what: "apk's cache",
    fix: "use apk add --no-cache",
  },
  {
    rule: "npm",
    pattern: /(?:^|\/)(?:\.npm\/_(?:cacache|logs)|\.cache\/(?:yarn|pnpm|node-gyp|node\/corepack)|\.node-gyp)\//,
    what: "npm's, yarn's or pnpm's cache",
    fix: "use RUN --mount=type=cache,target=/root/.npm",
  },
  {
    rule: "pip",
    pattern: /(?:^|\/)\.cache\/(?:pip|uv|pypoetry)\//,
    what: "pip's, uv's or poetry's cache",
    fix: "use RUN --mount=type=cache,target=/root/.cache, or pip install --no-cache-dir",
  },
  {
    rule: "cargo",
    pattern: /(?:^|\/)\.cargo\/registry\//,
    what: "cargo's registry cache",
    fix: "build in another stage and COPY the binary",
  },
  {
    rule: "git",
    pattern: /(?:^|\/)\.git\/objects\//,
    what: "a git repository's objects",
    fix: "add .git to .dockerignore",
  },
];

/** Package managers have left nothing behind. */
export const leftovers: ImageGate = {
  id: "leftovers",
  description: "no lists, caches or repositories left by apt, apk, npm, pip, cargo or git",
  severity: "warning",
  check: (subject) =>
    LEFTOVERS.flatMap(({ rule, pattern, what, fix }) => {
      const files = subject.files.filter((file) => file.bytes > 0 && pattern.test(file.path));
      if (files.length === 0) return [];
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      const message = `holds ${what}: ${formatBytes(bytes)} in ${files.length} files, such as /${files[0]?.path}`;
      return [imageFinding(leftovers, subject, { rule, message, fix })];
    }),
};
