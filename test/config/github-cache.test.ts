import assert from "node:assert/strict";
import { githubCacheFindings } from "../../config/github-cache.ts";
import { formatFinding } from "../../core/finding.ts";

const runner = { ACTIONS_RUNTIME_TOKEN: "canary", ACTIONS_RESULTS_URL: "https://results.example/" };
const stack = { cache: "gha", imageResource: "keelson" } as const;

describe("githubCacheFindings", () => {
  it("has nothing to say of another cache, and in a workflow that gives what is needed", () => {
    assert.deepEqual(githubCacheFindings({ ...stack, cache: "registry" }, {}), []);
    assert.deepEqual(githubCacheFindings(stack, runner), []);
  });

  it("warns of what a workflow does not give", () => {
    const text = (environment: NodeJS.ProcessEnv) => githubCacheFindings(stack, environment).map(formatFinding).join();
    assert.match(text({}), /ACTIONS_RUNTIME_TOKEN and ACTIONS_RESULTS_URL are not set: builds go without it/);
    assert.match(text({ ...runner, ACTIONS_RUNTIME_TOKEN: "" }), /ACTIONS_RUNTIME_TOKEN is not set/);
    assert.doesNotMatch(text({ ...runner, ACTIONS_RESULTS_URL: "" }), /canary/);
  });

  it("warns that docker-build can't use it", () =>
    assert.equal(githubCacheFindings({ ...stack, imageResource: "docker-build" }, runner).length, 1));
});
