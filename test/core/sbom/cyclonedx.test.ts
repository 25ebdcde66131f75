import assert from "node:assert/strict";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { cycloneDx } from "../../../core/sbom/cyclonedx.ts";
import { inventoryOf } from "../../../core/sbom/inventory.ts";
import { imageOf } from "./image.ts";

const subject = { repository: "ghcr.io/acme/app", version: "0.1.0" };
const sbom = async () => cycloneDx(inventoryOf(await imageOf()), subject);
const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);

describe("cycloneDx", function () {
  // The format's schema is compiled once.
  this.timeout(60_000);

  it("writes what the format's own schema takes", async () => {
    assert.equal(await validator.validate(await sbom()), null);
  });

  it("would be refused with a field that the format has not", async () => {
    const wrong = JSON.stringify({ ...JSON.parse(await sbom()), packages: [] });
    assert.notEqual(await validator.validate(wrong), null);
  });

  it("gives equal bytes for equal images, whatever the order of their layers' entries, and another number for another image", async () => {
    const inventory = inventoryOf(await imageOf());
    assert.equal(await sbom(), cycloneDx(inventory, subject));
    const number = (text: string) => JSON.parse(text).serialNumber;
    const other = cycloneDx({ ...inventory, digest: `sha256:${"0".repeat(64)}` }, subject);
    assert.notEqual(number(other), number(await sbom()));
    assert.match(number(other), /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("names the image by its digest, the distribution, and where each package was found", async () => {
    const { metadata, components } = JSON.parse(await sbom());
    assert.match(
      metadata.component.purl,
      /^pkg:oci\/app@sha256:[0-9a-f]{64}\?arch=amd64&repository_url=ghcr\.io%2Facme%2Fapp$/,
    );
    assert.deepEqual(components[0], {
      type: "operating-system",
      "bom-ref": "os",
      name: "debian",
      version: "12",
      description: "Debian GNU/Linux 12 (bookworm)",
    });
    const ms = components.find((c: { name: string }) => c.name === "ms");
    assert.deepEqual(ms.evidence.occurrences[1], { location: "/app/node_modules/ms/package.json" });
    const refs = components.map((c: Record<string, string>) => c["bom-ref"]);
    assert.equal(new Set(refs).size, refs.length);
  });
});
