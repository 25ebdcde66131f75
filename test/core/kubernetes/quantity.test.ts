import assert from "node:assert/strict";
import { canonicalQuantity } from "../../../core/kubernetes/quantity.ts";

describe("a quantity, as the API server writes it", () => {
  const cases: readonly (readonly [string | number, string])[] = [
    ["1000m", "1"],
    ["0.5", "500m"],
    [0.5, "500m"],
    ["1.5", "1500m"],
    [2, "2"],
    ["100000m", "100"],
    ["1000", "1k"],
    ["1500", "1500"],
    ["1000k", "1M"],
    ["1024Mi", "1Gi"],
    ["0.5Gi", "512Mi"],
    ["1.5Gi", "1536Mi"],
    ["128Mi", "128Mi"],
    ["1000Ki", "1000Ki"],
    ["1Ki", "1Ki"],
    ["0.5Ki", "512"],
    ["1e3", "1e3"],
    ["1000e3", "1e6"],
    ["0", "0"],
    ["0Gi", "0"],
    ["-1000m", "-1"],
    ["0.1n", "1n"],
    ["auto", "auto"],
    ["1 Gi", "1 Gi"],
  ];
  for (const [text, expected] of cases)
    it(`${text} is ${expected}`, () => assert.equal(canonicalQuantity(text), expected));
});
