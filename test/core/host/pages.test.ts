import assert from "node:assert/strict";
import { renderBundle } from "../../../core/host/bundle.ts";
import { pageFaults, renderPages } from "../../../core/host/pages.ts";
import { renderProxy } from "../../../core/host/proxy.ts";
import { WEFT } from "./sample.ts";

const port = { container: 8080, publish: 80 };
const web = { ...WEFT, port, errorPages: { "503.html": "<p>100%</p>\n", "502.html": "<p>bad</p>\n" } };

describe("pages of a proxy", () => {
  const wrong: Readonly<Record<string, readonly [file: string, text: string, faults: readonly RegExp[]]>> = {
    "a page": ["503.html", "<p>gone</p>", []],
    "one as large as may be": ["503.html", "x".repeat(15_000), []],
    "one that is larger": ["503.html", "x".repeat(15_001), [/^503\.html has 15001 bytes: .* room for 15000$/]],
    "a large one of few letters": ["503.html", "é".repeat(7501), [/has 15002 bytes/]],
    "one for maintenance, which has a message in it": ["maintenance.html", "x".repeat(13_001), [/room for 13000$/]],
    "one with two messages": ["maintenance.html", "{{message}} {{message}}", [/more than once/]],
    "a status that a proxy does not give": [
      "404.html",
      "x",
      [/^404\.html is no page of a proxy: there are 400\.html, /],
    ],
    "a way out of the folder": ["../503.html", "x", [/is no page of a proxy/]],
    "an empty one": ["503.html", " \n", [/is empty/]],
    "one that is no text": ["503.html", "a\0b", [/zero byte/]],
  };
  for (const [name, [file, text, faults]] of Object.entries(wrong))
    it(`${faults.length === 0 ? "are" : "are not"} ${name}`, () => {
      const found = pageFaults(file, text);
      assert.equal(found.length, faults.length, found.join());
      for (const [i, fault] of faults.entries()) assert.match(found[i] ?? "", fault);
    });

  it("take a message as it is, and all else as it stands", () => {
    const pages = { "503.html": "100% {{message}}", "maintenance.html": "<i>100% $&</i>\n<b>{{message}}</b>\n" };
    assert.deepEqual(renderPages("clawft", { ...web, errorPages: pages }), {
      "503.html": "100% {{message}}",
      "maintenance.html": "<i>100%% $&</i>\n<b>%[str(message),map(/etc/keelson/clawft/weft.maintenance),b64dec]</b>\n",
    });
  });

  it("are there for maintenance where none is given, and HAProxy's else", () => {
    const { errorPages: _, ...plain } = web;
    const pages = renderPages("clawft", plain);
    assert.deepEqual(Object.keys(pages), ["maintenance.html"]);
    assert.match(pages["maintenance.html"] ?? "", /^<!doctype html>[\s\S]*<p>%\[str\(message\),map/);
    assert.deepEqual(pageFaults("maintenance.html", pages["maintenance.html"] ?? ""), []);
    assert.doesNotMatch(renderProxy("clawft", plain), /http-error/);
  });

  it("are named in the proxy's settings, with what they say: another page is another setting", () => {
    const settings = renderProxy("clawft", web);
    const error = (status: number) =>
      new RegExp(
        `^ {2}http-error status ${status} content-type "text/html; charset=utf-8" file /etc/keelson/clawft/weft.${status}.html hdr cache-control no-store # sha256:[0-9a-f]{64}$`,
        "m",
      );
    assert.match(settings, error(502));
    assert.match(settings, error(503));
    assert.match(
      settings,
      /^ {2}bind \*:80\n {2}http-request return status 503 .* lf-file \/etc\/keelson\/clawft\/weft\.maintenance\.html hdr cache-control no-store hdr retry-after 60 if \{ str\(message\),map\(\/etc\/keelson\/clawft\/weft\.maintenance\) -m found \} # sha256:\w+$/m,
    );
    const other = renderProxy("clawft", { ...web, errorPages: { ...web.errorPages, "503.html": "<p>else</p>" } });
    assert.notEqual(other, settings);
    assert.doesNotMatch(renderProxy("clawft", { ...WEFT, port: { ...port, protocol: "tcp" } }), /http|maintenance/);
  });

  it("travel in the bundle, whatever they say", () => {
    const text = "end\nservice x\nfile unit";
    const bundle = renderBundle({ app: "clawft", services: [{ ...web, errorPages: { "503.html": text } }] });
    assert.match(
      bundle,
      /^file 503\.html\n\|end\n\|service x\n\|file unit\nfile maintenance\.html\n\|<!doctype html>$/m,
    );
  });
});
