import assert from "node:assert/strict";
import { DockerfileParser } from "dockerfile-ast";
import fc from "fast-check";
import { type Instruction, parseDockerfile } from "../../core/dockerfile.ts";

const only = (text: string): Instruction | undefined =>
  parseDockerfile(`FROM scratch\n${text}`).stages[0]?.instructions[0];
const rules = (text: string) => parseDockerfile(text).findings.map((f) => [f.rule, f.where?.line]);

describe("parseDockerfile", () => {
  it("reads stages, global arguments and platforms", () => {
    const file = parseDockerfile(
      "# syntax=docker/dockerfile:1.7 note\nARG V=1 W\nFROM --platform=$BUILDPLATFORM debian:${V} AS Build\nRUN make\n\nfrom scratch\nCOPY --from=build /a /b\n",
      "x/Dockerfile",
    );
    assert.equal(file.syntax, "docker/dockerfile:1.7");
    assert.deepEqual(file.globalArgs[0]?.args, [{ name: "V", value: "1" }, { name: "W" }]);
    const [build, last] = file.stages;
    assert.equal(build?.name, "build");
    assert.equal(build?.from.platform, "$BUILDPLATFORM");
    assert.equal(build?.from.image, "debian:${V}");
    assert.equal(last?.name, undefined);
    assert.deepEqual(
      last?.instructions.map((i) => [i.keyword, i.line]),
      [["COPY", 7]],
    );
    assert.deepEqual(file.findings, []);
  });

  it("joins continued lines over comments and blank lines, and keeps first and last line", () => {
    const run = only("RUN a \\\n  # why\n\n  && b \\\n\t&& c\nUSER x");
    assert.equal(run?.text, "a   && b \t&& c");
    assert.deepEqual([run?.line, run?.endLine], [2, 6]);
  });

  it("reads CRLF files and a byte order mark as it reads LF files", () => {
    const text = "FROM a\nRUN x \\\n  y\nCOPY <<EOF /z\nbody\nEOF\nUSER u\n";
    const lf = parseDockerfile(text);
    const crlf = parseDockerfile(`\uFEFF${text.replaceAll("\n", "\r\n")}`);
    const shape = (f: typeof lf) => f.stages[0]?.instructions.map((i) => [i.keyword, i.line, i.endLine, i.text]);
    assert.deepEqual(shape(crlf), shape(lf));
    assert.deepEqual(crlf.lines, lf.lines);
  });

  it("takes the escape character from its directive", () => {
    const file = parseDockerfile("# escape=`\nFROM a\nCOPY x `\n  c:\\dir\\\nRUN y\n");
    assert.equal(file.escapeToken, "`");
    assert.deepEqual(
      file.stages[0]?.instructions.map((i) => [i.keyword, i.text]),
      [
        ["COPY", "x   c:\\dir\\"],
        ["RUN", "y"],
      ],
    );
  });

  it("ends directives at the first other line", () => {
    assert.equal(parseDockerfile("# hello\n# escape=`\nFROM a\n").escapeToken, "\\");
    assert.equal(parseDockerfile("\n# syntax=x\nFROM a\n").syntax, undefined);
  });

  it("reads here-documents: several, quoted, chomped", () => {
    const run = only("RUN cat <<A <<-'B'\n$x\nA\n\tone\n\tB\nUSER u");
    assert.deepEqual(run?.heredocs, [
      { name: "A", expand: true, chomp: false, content: "$x\n", line: 3 },
      { name: "B", expand: false, chomp: true, content: "\tone\n", line: 5 },
    ]);
    assert.deepEqual([run?.line, run?.endLine], [2, 6]);
  });

  it("sees no here-document in an exec form, in a quoted << or outside RUN, COPY and ADD", () => {
    for (const text of [
      'RUN ["cat", "<<EOF"]',
      "RUN echo '<<EOF'",
      "RUN echo $((1<<2))",
      "LABEL a=<<EOF",
      "CMD cat <<EOF",
    ]) {
      assert.deepEqual(only(`${text}\nUSER u\n`)?.heredocs, [], text);
    }
  });

  it("reads command forms", () => {
    const forms: [string, unknown][] = [
      ['CMD ["a", "b c"]', { form: "exec", words: ["a", "b c"] }],
      ["CMD a 'b c'", { form: "shell", command: "a 'b c'" }],
      ["ENTRYPOINT ['a']", { form: "shell", command: "['a']" }],
      ["ENTRYPOINT []", { form: "exec", words: [] }],
      ['HEALTHCHECK --interval=5s CMD ["x"]', { form: "exec", words: ["x"] }],
      ["healthcheck cmd curl -f http://x || exit 1", { form: "shell", command: "curl -f http://x || exit 1" }],
    ];
    for (const [text, command] of forms) {
      const read = only(text);
      assert.ok(read && "command" in read, text);
      assert.deepEqual(read.command, command, text);
    }
    assert.deepEqual(only('SHELL ["/bin/bash", "-c"]'), {
      ...only('SHELL ["/bin/bash", "-c"]'),
      words: ["/bin/bash", "-c"],
    });
    const none = only("HEALTHCHECK NONE");
    assert.equal(none?.keyword === "HEALTHCHECK" ? none.command : "?", undefined);
  });

  it("reads pairs of ENV and LABEL in both forms", () => {
    const table: [string, [string, string][]][] = [
      [
        "ENV A=1 B=\"x y\" C=a\\ b D='$q'",
        [
          ["A", "1"],
          ["B", '"x y"'],
          ["C", "a\\ b"],
          ["D", "'$q'"],
        ],
      ],
      ["ENV A  all the rest=1", [["A", "all the rest=1"]]],
      [
        'LABEL "com.example"="v" x=',
        [
          ['"com.example"', '"v"'],
          ["x", ""],
        ],
      ],
    ];
    for (const [text, pairs] of table) {
      const read = only(text);
      assert.ok(read && "pairs" in read, text);
      assert.deepEqual(
        read.pairs.map((p) => [p.name, p.value]),
        pairs,
      );
    }
  });

  it("reads COPY, ADD, RUN mounts, EXPOSE, VOLUME, USER and ONBUILD", () => {
    const copy = only('COPY --from=b --link --chown=1:2 ["a b", "c", "/d"]');
    assert.ok(copy?.keyword === "COPY");
    assert.deepEqual([copy.from, copy.sources, copy.destination], ["b", ["a b", "c"], "/d"]);
    assert.deepEqual(copy.flags[1], { name: "link" });
    const heredoc = only("COPY x <<EOF /d\nEOF");
    assert.ok(heredoc?.keyword === "COPY");
    assert.deepEqual(heredoc.sources, ["x"]);
    const run = only("RUN --mount=type=bind,from=b,src=/s,dst=/t --mount=type=cache,'\"target=/c,d\"',id=i make");
    assert.ok(run?.keyword === "RUN");
    assert.deepEqual(run.mounts, [
      { type: "bind", from: "b", source: "/s", target: "/t" },
      { type: "cache", target: "/c,d", id: "i" },
    ]);
    const expose = only("EXPOSE 80 443/udp ${P}");
    assert.deepEqual(expose?.keyword === "EXPOSE" && expose.ports, ["80", "443/udp", "${P}"]);
    const volume = only('VOLUME ["/a", "/b"]');
    assert.deepEqual(volume?.keyword === "VOLUME" && volume.paths, ["/a", "/b"]);
    const user = only("USER 10001:10001");
    assert.equal(user?.keyword === "USER" && user.value, "10001:10001");
    const onbuild = only("ONBUILD COPY --from=x a b");
    assert.ok(onbuild?.keyword === "ONBUILD" && onbuild.trigger.keyword === "COPY");
    assert.equal(onbuild.trigger.from, "x");
  });

  it("tells what the builder would refuse, with the line", () => {
    const table: [string, [string, number][]][] = [
      ["", [["dockerfile/no-from", 1]]],
      ["RUN x\nFROM a\n", [["dockerfile/before-from", 1]]],
      [
        "FROM a\nRNU x\nUSER\n",
        [
          ["dockerfile/unknown-instruction", 2],
          ["dockerfile/missing-argument", 3],
        ],
      ],
      ["FROM a b\n", [["dockerfile/bad-from", 1]]],
      ["FROM a AS 1x\n", [["dockerfile/bad-stage-name", 1]]],
      ["FROM a AS x\nFROM b AS X\n", [["dockerfile/repeated-stage", 2]]],
      ["FROM a\nCOPY x\n", [["dockerfile/missing-argument", 2]]],
      ["FROM a\nCOPY --form=x a b\n", [["dockerfile/unknown-flag", 2]]],
      ["FROM a\nCOPY --from=x --from=y a b\n", [["dockerfile/repeated-flag", 2]]],
      ["FROM a\nCOPY --from a b\n", [["dockerfile/flag-without-value", 2]]],
      ["FROM a\nCMD [1]\n", [["dockerfile/not-strings", 2]]],
      ["FROM a\nSHELL bash\n", [["dockerfile/shell-not-json", 2]]],
      ["FROM a\nENV A\n", [["dockerfile/missing-argument", 2]]],
      ["FROM a\nENV A=1 B\n", [["dockerfile/pair-without-value", 2]]],
      ["FROM a\nLABEL =x\n", [["dockerfile/blank-name", 2]]],
      ["FROM a\nHEALTHCHECK curl\n", [["dockerfile/bad-healthcheck", 2]]],
      ["FROM a\nONBUILD FROM b\n", [["dockerfile/bad-onbuild", 2]]],
      ["FROM a\nRUN <<EOF\nx\n", [["dockerfile/unterminated-heredoc", 2]]],
      ["FROM a\nCOPY x <<EOF\nEOF\n", [["dockerfile/heredoc-destination", 2]]],
      ["# escape=x\nFROM a\n", [["dockerfile/bad-escape", 1]]],
      ["# syntax=a\n# syntax=b\nFROM a\n", [["dockerfile/repeated-directive", 2]]],
      ["FROM a\n\\\n", [["dockerfile/nothing-continued", 2]]],
      ["FROM a AS x\nCOPY --from=y a b\nFROM b AS y\n", [["dockerfile/stage-not-before", 2]]],
      [
        "FROM a\nFROM b\nCOPY --from=99 a b\nCOPY --from=1 a b\n",
        [
          ["dockerfile/no-such-stage", 3],
          ["dockerfile/stage-not-before", 4],
        ],
      ],
      ["FROM a\nONBUILD COPY --from=7 a b\nCOPY --from=x a b\nRUN --mount=from=8 true\n", []],
      ["ARG S=x\nFROM a AS x\nFROM b\nCOPY --from=$S a b\n", [["dockerfile/variable-in-from", 4]]],
    ];
    for (const [text, expected] of table) assert.deepEqual(rules(text), expected, JSON.stringify(text));
  });

  it("never throws, and keeps every line number inside the file", () => {
    const bits = fc.constantFrom(
      ..."FROM |RUN |COPY |ENV |ARG |ONBUILD |HEALTHCHECK CMD |LABEL |a|x |\\|`|\n|\r\n|\t|'|\"|<<EOF|<<-'E'|\nEOF\n|#|# escape=`\n|$|${|}|:-|--|--from=a |--mount=type=bind,from=b |[|]|[\"a\"]|=|\0|é".split(
        "|",
      ),
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(bits, { maxLength: 40 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, (source) => {
        const file = parseDockerfile(source);
        const last = Math.max(1, file.lines.length);
        for (const { where } of file.findings) assert.ok(where?.line && where.line >= 1 && where.line <= last);
        let before = 0;
        const all = file.stages.flatMap((stage) => [stage.from, ...stage.instructions]);
        for (const { line, endLine } of all) {
          assert.ok(line > before && line <= endLine && endLine <= last);
          before = endLine;
        }
        assert.ok(file.stages.length > 0 || file.findings.length > 0);
      }),
      { numRuns: 2000 },
    );
  });

  it("finds the instructions and lines that another parser finds", () => {
    const word = fc.constantFrom("a", "b=1", "--x", "/p/q", "é", "a\\ b", '"q r"');
    const gap = fc.constantFrom(" ", "  ", " \\\n  ", " \\\n# note\n", "\t");
    const line = fc
      .tuple(
        fc.constantFrom("RUN", "user", "Workdir", "LABEL", "COPY", "EXPOSE"),
        fc.array(fc.tuple(gap, word), { minLength: 1, maxLength: 5 }),
      )
      .map(([keyword, words]) => keyword + words.flat().join(""));
    const comment = fc.constantFrom("", "# c", "  # c \\");
    fc.assert(
      fc.property(fc.array(fc.oneof(line, comment), { maxLength: 8 }), fc.constantFrom("\n", "\r\n"), (lines, end) => {
        const text = `FROM a\n${lines.join("\n")}\n`.replaceAll("\n", end);
        const theirs = DockerfileParser.parse(text).getInstructions();
        const file = parseDockerfile(text);
        const ours = file.stages.flatMap((stage) => [stage.from, ...stage.instructions]);
        // An instruction that could not be read is a finding and no more.
        const unread = new Set(file.findings.map((f) => f.where?.line));
        assert.deepEqual(
          ours.filter((i) => !unread.has(i.line)).map((i) => [i.keyword, i.line]),
          theirs.map((i) => [i.getKeyword(), i.getRange().start.line + 1]).filter(([, at]) => !unread.has(Number(at))),
        );
      }),
    );
  });
});
