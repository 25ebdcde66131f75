import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../../core/error.ts";
import { buildkitPlatforms } from "../../../toolchain/services/buildkitd.ts";

describe("the platforms of a builder", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson platforms "));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function buildctl(script: string): Promise<string> {
    const file = join(folder, "buildctl");
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
    return file;
  }
  const ANSWER = `echo '[{"platforms":[{"os":"linux","architecture":"arm64"},{"os":"linux","architecture":"386"}]}]'`;
  const TRACES = "echo 'error: context deadline exceeded' >&2; exit 1";

  it("are those that keelson knows, also where buildctl fails after its answer", async () => {
    assert.deepEqual(await buildkitPlatforms(await buildctl(ANSWER), "unix:///x"), ["linux/arm64"]);
    assert.deepEqual(await buildkitPlatforms(await buildctl(`${ANSWER}; ${TRACES}`), "unix:///x"), ["linux/arm64"]);
  });

  it("are told as unknown where there is no answer", async () => {
    await assert.rejects(
      buildkitPlatforms(await buildctl(TRACES), "unix:///x"),
      (error) => error instanceof UserError && /does not say what it builds: error: context dead/.test(error.message),
    );
  });
});
