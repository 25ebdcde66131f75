import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { SystemdService } from "../../../components/host/systemd-service.ts";
import { planHosts, type WorkloadsChoice } from "../../../core/host-plan.ts";
import { register } from "../mocks.ts";

const SECRET = "4dabf18193072939515e22adb298388d";
const ref = (hex: string) => `ghcr.io/acme/weft@sha256:${hex.repeat(64)}`;

describe("SystemdService", () => {
  const weft: WorkloadsChoice[string] = {
    ...{ image: "weft", hosts: ["vps1"], port: { container: 8080, publish: 80 }, secrets: { TOKEN: {} } },
    environment: { RUST_LOG: "info" },
  };
  let built: SystemdService;
  let order: string[];
  /** What is registered of one service. */
  const declare = async (change: Partial<WorkloadsChoice[string]> = {}, image = ref("a"), secret = "canary-token") => {
    const { hosts } = planHosts({ vps1: { address: "203.0.113.7" } }, { weft: { ...weft, ...change } }, new Map());
    const [host] = hosts;
    const [service] = host?.services ?? [];
    assert.ok(host && service);
    order = [];
    const resources = await register(
      () => {
        const session = new remote.Command("vps1-services", { connection: { host: "203.0.113.7" } });
        const secrets = pulumi.secret({ TOKEN: secret });
        built = new SystemdService("vps1-weft", { host, service, image, secrets, address: "203.0.113.7", session });
      },
      ({ name, component }) => {
        order.push(name);
        return component ? {} : { stdout: "" };
      },
    );
    return resources.find(({ type }) => type === "keelson:host:SystemdService")?.inputs as Record<string, unknown>;
  };
  const value = <T>(output: pulumi.Output<T> | undefined) => new Promise((resolve) => void output?.apply(resolve));

  it("says in clear what the host is given, but for the values of secrets", async () => {
    const inputs = await declare();
    const { definition, secrets, ...rest } = inputs as Record<string, Record<string, unknown>>;
    assert.deepEqual(rest, {
      ...{ image: ref("a"), port: { container: 8080, publish: 80 }, environment: { RUST_LOG: "info" } },
    });
    // The engine keeps apart what is secret in it; mocks take all of it for one.
    assert.ok(secrets !== undefined && SECRET in secrets);
    assert.deepEqual(secrets.value, { TOKEN: "canary-token" });
    for (const text of ["proxy.cfg", "proxy.service", "unit", "words"]) assert.ok(definition?.[text], text);
    assert.ok(!("env" in (definition ?? {})), "which is `environment`");
    assert.match(String(definition?.words), /^service weft\nimage @IMAGE@\nupdate beside\n/);
    assert.match(String(definition?.unit), /^ {2}@IMAGE@$/m);
    const hide = (_: string, v: unknown) => (typeof v === "object" && v !== null && SECRET in v ? "[secret]" : v);
    assert.doesNotMatch(JSON.stringify(inputs, hide), /canary|Y2FuYXJ5/);
  });

  const changes: Readonly<Record<string, readonly [Parameters<typeof declare>, readonly string[]]>> = {
    "an image": [[{}, ref("b")], ["image"]],
    "a variable": [[{ environment: { RUST_LOG: "debug" } }], ["environment"]],
    "a secret": [[{}, ref("a"), "canary-other"], ["secrets"]],
    "a limit": [[{ limits: { memory: "64 MiB" } }], ["definition", "limits"]],
    "a port": [[{ port: { container: 8080, publish: 81 } }], ["definition", "port"]],
    nothing: [[], []],
  };
  for (const [what, [args, differing]] of Object.entries(changes))
    it(`tells ${what} that changes by its name`, async () => {
      const [before, after] = [await declare(), await declare(...args)];
      const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
      assert.deepEqual(
        keys.filter((key) => !isDeepStrictEqual(before[key], after[key])),
        differing,
      );
    });

  it("is there when its host's session has ended well", async () => {
    await declare();
    assert.deepEqual(order, ["vps1-services", "vps1-weft"]);
  });

  it("has an address, a unit and an image to hand on", async () => {
    await declare();
    assert.equal(await value(built.url), "http://203.0.113.7");
    assert.equal(built.unit, "keelson-keelson-weft-[ab].service");
    assert.equal(await value(built.image), ref("a"));
    const { port: _, ...job } = weft;
    await declare({ ...job, port: undefined, schedule: "*-*-* 03:00" });
    assert.equal(built.url, undefined);
    assert.equal(built.unit, "keelson-keelson-weft-[ab].timer");
  });

  it("is refused where it can't run", async () => {
    await assert.rejects(declare({ update: "beside", port: undefined }), /only a service with a port/);
  });
});
