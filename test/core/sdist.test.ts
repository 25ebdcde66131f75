import assert from "node:assert/strict";
import { UserError } from "../../core/error.ts";
import { sdistMetadata } from "../../core/sdist.ts";

const head = (version: string, ...more: string[]) =>
  [`Metadata-Version: ${version}`, "Name: A_Package", "Version: 1.0", ...more, "", "Requires-Dist: of-the-readme"].join(
    "\n",
  );

describe("what a source distribution needs", () => {
  it("is what its PKG-INFO says, from Metadata 2.2 on", () => {
    const pkgInfo = head(
      "2.4",
      "Requires-Python: >=3.8",
      "Requires-Dist: idna>=3",
      'Requires-Dist: h11; extra == "server"',
      "Provides-Extra: server",
      "Dynamic: License-File",
    );
    assert.deepEqual(sdistMetadata({ pkgInfo, pyproject: "[project]\ndependencies = []\n" }, "a.tar.gz"), {
      name: "a-package",
      version: "1.0",
      requiresDist: ["idna>=3", 'h11; extra == "server"'],
      requiresPython: ">=3.8",
      extras: ["server"],
    });
  });

  it("is what its pyproject.toml says where PKG-INFO is older, or leaves it to the build", () => {
    const pyproject = `
      [project]
      dynamic = ["version"]
      requires-python = ">=3.8"
      dependencies = ["numpy>=1.20.0"]
      [project.optional-dependencies]
      server = ["h11; python_version < '3.13'", "x @ https://example.org/a;b.zip", "starlette"]
    `;
    for (const pkgInfo of [head("2.1", "Requires-Dist: old"), head("2.2", "Dynamic: Requires-Dist")])
      assert.deepEqual(sdistMetadata({ pkgInfo, pyproject }, "a.tar.gz"), {
        name: "a-package",
        version: "1.0",
        requiresDist: [
          "numpy>=1.20.0",
          "h11; (python_version < '3.13') and extra == 'server'",
          "x @ https://example.org/a;b.zip; extra == 'server'",
          "starlette; extra == 'server'",
        ],
        requiresPython: ">=3.8",
        extras: ["server"],
      });
  });

  it("is refused where its own build alone would tell: each reason is said", () => {
    const why = (pkgInfo: string, pyproject?: string) => {
      try {
        sdistMetadata({ pkgInfo, pyproject }, "a-1.0.tar.gz");
      } catch (error) {
        assert.ok(error instanceof UserError && error.message.startsWith("a-1.0.tar.gz: "));
        return /\((.*)\), which keelson does not run$/.exec(error.message)?.[1] ?? error.message;
      }
      return "taken";
    };
    assert.equal(why(head("2.1")), "its PKG-INFO is of Metadata 2.1");
    assert.equal(why(head("2.2", "Dynamic: requires-dist")), "its PKG-INFO leaves requires-dist open");
    assert.equal(
      why(head("1.2"), "[build-system]\nrequires = []\n"),
      "its PKG-INFO is of Metadata 1.2; its pyproject.toml has no [project]",
    );
    assert.match(why(head("2.1"), '[project]\ndynamic = ["dependencies"]\n'), /leaves dependencies open$/);
    assert.match(why(head("2.1"), "[project"), /its pyproject\.toml can't be read$/);
    assert.match(why("", '[project]\nname = "a"\n'), /expected a PKG-INFO with Name and Version, found none/);
  });
});
