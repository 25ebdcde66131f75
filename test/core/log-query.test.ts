import assert from "node:assert/strict";
import { hostWords, type LogQuery, parseSince, podQuery } from "../../core/log-query.ts";

describe("log query", () => {
  for (const [text, since] of Object.entries({
    "90s": { seconds: 90 },
    "1h30m": { seconds: 5400 },
    "2d": { seconds: 172_800 },
    "2026-01-31T10:00Z": { time: "2026-01-31T10:00:00.000Z" },
    "2026-01-31T10:00:00.5+02:00": { time: "2026-01-31T08:00:00.500Z" },
  }))
    it(`reads ${text}`, () => assert.deepEqual(parseSince(text), since));

  for (const text of ["", "0s", "10", "-5m", "1.5h", "5m ", "1w", "yesterday", "2026-01-31", "2026-13-01T10:00:00Z"])
    it(`takes no ${JSON.stringify(text)}`, () => assert.throws(() => parseSince(text), RangeError));

  const cases: [LogQuery, string[], Record<string, string>][] = [
    [{ follow: false }, ["100"], { tailLines: "100" }],
    [{ follow: true, lines: 7 }, ["7", "follow"], { tailLines: "7" }],
    [{ follow: false, since: { seconds: 600 } }, ["all", "once", "-600s"], { sinceSeconds: "600" }],
    [
      { follow: true, lines: 5, since: { time: "2026-01-31T10:00:00.000Z" } },
      ["5", "follow", "@1769853600"],
      { tailLines: "5", sinceTime: "2026-01-31T10:00:00.000Z" },
    ],
  ];
  for (const [query, words, pod] of cases)
    it(`asks hosts for ${words.join(" ")}, and pods for the same`, () => {
      assert.deepEqual(hostWords(query), words);
      assert.deepEqual(podQuery(query), { timestamps: "true", ...pod });
    });
});
