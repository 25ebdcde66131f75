import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sinon from "sinon";
import { fixCommand } from "../../cli/fix.ts";
import { projectRoot } from "../../toolchain/home.ts";

const SCHEMA = `generator client {
  provider      = "prisma-client-js"
  binaryTargets = ["native"]
}
datasource db {
  provider = "postgresql"
}
`;

describe("keelson fix prisma", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson fix "));
    mkdirSync(join(folder, "repository/app/prisma"), { recursive: true });
    mkdirSync(join(folder, "repository/.git"));
    writeFileSync(join(folder, "repository/app/package.json"), '{ "dependencies": { "@prisma/client": "6.19.0" } }');
    writeFileSync(join(folder, "repository/app/prisma/schema.prisma"), SCHEMA);
  });
  afterEach(() => {
    sinon.restore();
    rmSync(folder, { recursive: true });
    process.exitCode = undefined;
  });

  async function wouldAdd(dir: string): Promise<string> {
    const log = sinon.stub(console, "log");
    await fixCommand()
      .parseAsync(["prisma", dir, "--dry-run"], { from: "user" })
      .finally(() => log.restore());
    return log.args.flat().join("\n");
  }

  it("takes the base from a Dockerfile above the project, up to its repository's root", async () => {
    const app = join(folder, "repository/app");
    writeFileSync(join(folder, "Dockerfile"), "FROM debian:bookworm-slim\n");
    await assert.rejects(wouldAdd(app), /no Dockerfile in .*app or above says what the image is built on/);
    writeFileSync(join(folder, "repository/Dockerfile"), "FROM node:22-alpine\n");
    assert.match(await wouldAdd(app), /linux-musl-openssl-3\.0\.x.* \(node:22-alpine\)/);
  });

  it("changes nothing of a client whose engine its image can't load, and says what does without", async () => {
    writeFileSync(
      join(folder, "repository/Dockerfile"),
      "FROM node:22-alpine AS build\nFROM scratch\nCOPY --from=build / /\n",
    );
    await assert.rejects(
      wouldAdd(join(folder, "repository/app")),
      /targets alone don't mend \/.+\/repository\/app; nothing was changed:[\s\S]*OpenSSL[\s\S]*engineType = "client"/,
    );
  });

  it("takes it from the definition in a folder of the catalogue, whatever its last stage comes from", async () => {
    for (const dir of ["images/todo-frontend", "images/todo-frontend/app"])
      assert.match(await wouldAdd(join(projectRoot(), dir)), /nothing is missing for debian:bookworm-slim/);
  });
});
