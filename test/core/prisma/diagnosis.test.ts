import assert from "node:assert/strict";
import { diagnosePrisma } from "../../../core/prisma/diagnosis.ts";

describe("what a log says of Prisma", () => {
  for (const [log, kind, message] of [
    [
      'Error: @prisma/client did not initialize yet. Please run "prisma generate" and try to import it again.',
      "not-generated",
      /never ran/,
    ],
    ["Error: Cannot find module '.prisma/client/default'", "not-generated", /never ran/],
    [
      'PrismaClientInitializationError: \nInvalid `prisma.todo.findMany()` invocation:\n\nPrisma Client could not locate the Query Engine for runtime "linux-musl-openssl-3.0.x".',
      "wrong-target",
      /no engine for linux-musl-openssl-3\.0\.x/,
    ],
    ['Query engine library for current platform "linux-musl" could not be found.', "wrong-target", /for linux-musl,/],
    [
      "Unable to require(`/app/node_modules/.prisma/client/libquery_engine-debian-openssl-1.1.x.so.node`).\nlibssl.so.1.1: cannot open shared object file: No such file or directory",
      "no-openssl",
      /no libssl\.so\.1\.1/,
    ],
    ["Error loading shared library libssl.so.3: No such file", "no-openssl", /no libssl\.so\.3/],
    ['Using engine type "client" requires either "adapter" or "accelerateUrl"', "no-adapter", /no driver adapter/],
    ["Can't reach database server at `db:5432`", "unreachable", /its database db:5432 does not answer/],
    ["error: connect ECONNREFUSED 10.0.0.7:5432", "unreachable", /10\.0\.0\.7:5432 does not answer/],
    ["Error: getaddrinfo ENOTFOUND todo-db", "unreachable", /todo-db does not answer/],
    ['FATAL:  password authentication failed for user "todo"', "refused", /the user todo/],
    ['database "todo" does not exist', "no-database", /no database todo/],
    ["The table `public.Todo` does not exist in the current database.", "not-migrated", /public\.Todo/],
    ["ready on port 3000", undefined, /^$/],
  ] as const)
    it(`${log.slice(0, 60).replaceAll("\n", " ")}: ${kind ?? "nothing"}`, () => {
      const found = diagnosePrisma(log);
      assert.equal(found?.kind, kind);
      assert.match(found?.message ?? "", message);
    });
});
