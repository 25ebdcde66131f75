import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { workloadImage } from "../../../core/kubernetes/workload-image.ts";

const schema = join(import.meta.dirname, "../../../helm/todo-chatbot/values.schema.json");

/** One rule: of applications, and of the chart, whose schema helm reads and can't share it. */
describe("an image that a workload may run", () => {
  const { definitions } = JSON.parse(readFileSync(schema, "utf8"));
  const inChart = new Ajv({ allowUnionTypes: true }).compile(definitions.image);
  const isTaken = (image: string) => {
    try {
      return workloadImage(image, "web") === image;
    } catch {
      return false;
    }
  };

  for (const [image, wanted] of [
    ["web:1.2.0", true],
    ["web:v1", true],
    ["web:20251226-0a1b2c3", true],
    ["web:alpine3.20", true],
    ["web:sha256-0123456789abcdef", true],
    ["ghcr.io/acme/web:1.2.0", true],
    ["localhost:5443/web:1.2.0", true],
    [`web@sha256:${"a".repeat(64)}`, true],
    [`localhost:5443/acme/web:latest@sha256:${"a".repeat(64)}`, true],
    ["web", false],
    ["localhost:5443/web", false],
    ["web:latest", false],
    ["web:LATEST", false],
    ["web:Latest-12", false],
    ["web:latest-cuda12", false],
    ["localhost:5443/web:latest-cuda12", false],
    ["web:stable", false],
    ["web:alpine", false],
    ["web:edge", false],
    ["web:main", false],
    ["web1:stable", false],
    ["localhost:5443/web:stable", false],
    ["web:1.2.0@sha256:abc", false],
    ["", false],
  ] as const)
    it(`${wanted ? "is" : "is not"} ${image || "none"}, for the chart as well`, () => {
      assert.equal(isTaken(image), wanted, "KubernetesApp");
      assert.equal(inChart(image), wanted, "the chart's schema");
    });
});
