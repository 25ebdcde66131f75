import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { pageFaults } from "../../../core/host/pages.ts";
import type { HostService } from "../../../core/host/service.ts";
import type { LabHost } from "../../../toolchain/lab/index.ts";
import { HostUnderTest, startLoad } from "../lab-host.ts";
import { pushVariant } from "./variant.ts";
import { type Digests, embeddedRegistry } from "./weft.ts";

/** Serves the files of /srv/assets; what it says of /broken is no answer. */
const SERVER = `use IO::Socket::INET; my $f; $SIG{TERM} = sub { exit }; $SIG{CHLD} = "IGNORE";
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 99, ReuseAddr => 1) or die;
while (my $c = $server->accept) {
  if (fork) { close $c; next }
  my ($path) = (<$c> // "") =~ m{^\\w+ (\\S+)}; while (<$c>) { last if /^\\r?$/ }
  if ($path eq "/broken") { print $c "what?\\r\\n\\r\\n"; exit }
  my $said = open($f, "<", "/srv/assets$path") ? join("", <$f>) : undef;
  my $status = defined $said || $path eq "/" ? "200 OK" : "404 Not Found";
  $said //= "";
  print $c "HTTP/1.1 $status\\r\\nContent-Length: " . length($said) . "\\r\\nConnection: close\\r\\n\\r\\n$said"; exit
}`;

const OWN = "<!doctype html>\n<title>100% ours</title>\n  <p>“gone” %[date]</p>\n";
const PORT = 9300;

/** What a service's proxy says in its place, and what it serves of earlier images. `lab` is asked when the tests run. */
export function describeServed(lab: () => { readonly host: LabHost; readonly digests: Digests }): void {
  describe("what a service's proxy and container serve", () => {
    let vps: HostUnderTest;
    let images: readonly string[];
    let web: HostService;
    let bare: string;

    before(async () => {
      const { host, digests } = lab();
      vps = new HostUnderTest(host, "shop");
      const client = await embeddedRegistry();
      const perl = { Entrypoint: ["/usr/bin/perl", "-e"], Cmd: [SERVER], Healthcheck: null };
      const push = (...of: [files?: Parameters<typeof pushVariant>[4], change?: object]) =>
        pushVariant(client, "weft", digests.own, { ...perl, ...of[1] }, of[0]);
      const version = (n: number) =>
        push({
          [`srv/assets/app-${n}.css`]: `css ${n}`,
          [`srv/assets/deep/x-${n}.js`]: `js ${n}`,
          "srv/assets/same.txt": `same ${n}`,
          ...(n === 1
            ? {
                "srv/assets/in.css": { link: "deep/../app-1.css" },
                "srv/assets/deep/up.css": { link: "../app-1.css" },
                "srv/assets/out": { link: "../../etc/passwd" },
                "srv/assets/root": { link: "/etc" },
                "srv/assets/later": { link: "/etc" },
              }
            : { "srv/assets/later/passwd": "no one" }),
        });
      images = await Promise.all([1, 2, 3, 4].map(version));
      bare = await push({}, { Labels: { bare: "yes" } });
      client.close();
      web = {
        name: "web",
        image: image(0),
        port: { container: 8080, publish: PORT },
        health: { port: 8080, path: "/" },
        errorPages: { "502.html": OWN.replace("gone", "bad"), "503.html": OWN },
        assets: "/srv/assets",
        drain: "2 s",
        stop: "2 s",
      };
      const { code, text } = await vps.setup();
      assert.equal(code, 0, text);
      await deploy(web);
    });
    after(() => vps?.verb("remove", "--data"));

    const image = (n: number) => `${lab().host.registry}/weft@${images[n]}`;
    const on = async (command: string) => {
      const { code, text } = await vps.run(command);
      assert.equal(code, 0, text);
      return text;
    };
    const deploy = async (...services: HostService[]) => {
      const { code, text } = await vps.apply(services);
      assert.equal(code, 0, text);
      return text;
    };
    const verb = async (...[name, ...args]: Parameters<HostUnderTest["verb"]>) => {
      const { code, text } = await vps.verb(name, ...args);
      assert.equal(code, 0, text);
      return text;
    };
    /** On a connection of its own: on one that is kept HAProxy closes where it reaches no server, and says nothing. */
    const get = async (path: string, port = PORT) => {
      const query = request({ host: vps.host.address, port, path, agent: false, timeout: 60_000 });
      query.on("timeout", () => query.destroy(new Error("timeout"))).end();
      const [response] = (await once(query, "response")) as [IncomingMessage];
      return { status: response.statusCode, text: await text(response), headers: response.headers };
    };
    const served = async (path: string) => {
      const { status, text } = await get(path, PORT + 2);
      return status === 200 ? text : status;
    };
    const slot = (service = "web") => on(`cat /var/lib/keelson/shop/services/${service}/active`);

    it("answers with pages of one's own where no container does", async () => {
      assert.deepEqual(pageFaults("503.html", OWN), []);
      const broken = await get("/broken");
      assert.deepEqual([broken.status, broken.text], [502, OWN.replace("gone", "bad")]);
      const unit = `keelson-shop-web-${await slot()}`;
      await on(`systemctl stop ${unit}`);
      const gone = await get("/");
      assert.deepEqual([gone.status, gone.text], [503, OWN]);
      assert.equal(gone.headers["content-type"], "text/html; charset=utf-8");
      await on(`systemctl start ${unit}`);
      assert.ok(await vps.until(`curl -fs localhost:${PORT}/`, 20));
      // About as large as one may be.
      const large = `${"é".repeat(7499)}\n`;
      assert.deepEqual(pageFaults("503.html", large), []);
      await deploy({ ...web, errorPages: { "503.html": large } });
      assert.equal(await on("ls /etc/keelson/shop"), "web.503.html\nweb.cfg\nweb.maintenance\nweb.maintenance.html");
      const now = `keelson-shop-web-${await slot()}`;
      await on(`systemctl stop ${now}`);
      assert.deepEqual(await get("/").then(({ status, text }) => [status, text]), [503, large]);
      await on(`systemctl start ${now}`);
      await on("echo >>/etc/keelson/shop/web.503.html");
      assert.match((await vps.verb("status")).text, /^web\tdrift\t.*\tproxy-edited\t/m);
      await deploy(web);
      await verb("status");
    });

    it("is in maintenance at once, with nothing restarted, until it is live again, whatever is done meanwhile", async () => {
      const proxy = "systemctl show -P MainPID -P NRestarts -P ExecMainStartTimestamp keelson-shop-web-proxy";
      const workers = "pgrep -P $(systemctl show -P MainPID keelson-shop-web-proxy)";
      const started = async () =>
        on(`${proxy}; ${workers}; docker inspect --format {{.State.StartedAt}} keelson-shop-web-${await slot()}`);
      // A worker of settings before ends when its time is over.
      assert.ok(await vps.until(`test "$(${workers} | wc -l)" = 1`, 20));
      const before = await started();
      const kept = connect(PORT, vps.host.address).setEncoding("utf8");
      const ask = () => {
        kept.write("GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
        return once(kept, "data", { signal: AbortSignal.timeout(10_000) }).then(String);
      };
      assert.match(await ask(), /^HTTP\/1\.1 200 /);
      const message = `back at 5, "maybe" <script>'&amp;' 100% %[date] $(id) \\ {{message}} äöü`;
      assert.match(await verb("maintenance", "web", message), /^web is in maintenance: who asks gets 503/);
      assert.match(await ask(), /^HTTP\/1\.1 503 [\s\S]*retry-after: 60/i);
      kept.destroy();
      const shown = async (said: string) => {
        const { status, text, headers } = await get("/anything");
        assert.deepEqual(
          [status, headers["retry-after"], headers["content-type"], headers["cache-control"]],
          [503, "60", "text/html; charset=utf-8", "no-store"],
        );
        assert.ok(text.includes(`<p>${said}</p>`), text);
      };
      const escaped = `back at 5, &quot;maybe&quot; &lt;script&gt;&#39;&amp;amp;&#39; 100% %[date] $(id) \\ {{message}} äöü`;
      await shown(escaped);
      assert.equal(await started(), before);
      const since = /^web\tok\t.*\t\t\S*\t\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m;
      assert.match(await verb("status"), since);
      assert.match(
        await on("tail -n 1 /var/lib/keelson/shop/audit.log"),
        /\troot@\S+\tweb in maintenance: back at 5, "maybe" /,
      );
      // Another message takes its place, and requests see one or the other.
      const stop = startLoad(vps.host.address, PORT);
      await verb("maintenance", "web");
      await shown("It will be back soon.");
      assert.match(
        await deploy({
          ...web,
          image: image(1),
          errorPages: { "maintenance.html": "<b>%d</b>\n<i>{{message}}</i>\n" },
        }),
        /1 changed/,
      );
      assert.deepEqual(Object.keys(await stop()), ["503"]);
      assert.equal((await get("/")).text, "<b>%d</b>\n<i>It will be back soon.</i>\n");
      await on("systemctl restart keelson-shop-web-proxy");
      assert.ok(await vps.until(`curl -s -o /dev/null -w '%{http_code}' localhost:${PORT}/ | grep -qx 503`, 10));
      await verb("rollback", "web");
      await shown("It will be back soon.");
      assert.match(await verb("status"), since);
      assert.equal(await verb("live", "web"), "web is live again");
      assert.equal((await get("/")).status, 200);
      assert.match(await on("tail -n 1 /var/lib/keelson/shop/audit.log"), /\tweb live again$/);
      assert.equal(await verb("live", "web"), "web is not in maintenance");
      assert.match(await verb("status"), /^web\tok\t.*\t\t$/m);
    });

    it("refuses maintenance of what has no http proxy, and a message that is no line of text", async () => {
      await deploy(
        web,
        { name: "worker", image: image(0) },
        { name: "raw", image: image(0), port: { container: 8080, publish: PORT + 1, protocol: "tcp" } },
      );
      for (const name of ["worker", "raw"]) {
        const { code, text } = await vps.verb("maintenance", name);
        assert.equal(code, 1);
        assert.equal(
          text,
          `error: ${name} has no proxy that reads requests, and nothing could answer in its place\n  maintenance is for services with a \`port\` of protocol http`,
        );
      }
      assert.match(
        (await vps.verb("maintenance", "other")).text,
        /^error: no service other of shop serves on this host/,
      );
      assert.match((await vps.verb("maintenance", "web", "a\nb")).text, /^error: the message has a line break/);
      assert.match(
        (await vps.verb("maintenance", "web", "x".repeat(301))).text,
        /^error: the message has 301 characters/,
      );
      await verb("maintenance", "web", "&".repeat(300));
      assert.match((await get("/")).text, /(?:&amp;){300}/);
      await verb("live", "web");
      await deploy(web);
    });

    it("serves assets of both versions, and none of images that are gone", async () => {
      const files: HostService = { ...web, name: "files", port: { container: 8080, publish: PORT + 2 } };
      await deploy({ ...files, image: image(0) });
      assert.deepEqual(await Promise.all(["/app-1.css", "/in.css", "/deep/up.css", "/same.txt"].map(served)), [
        "css 1",
        404,
        "css 1",
        "same 1",
      ]);
      assert.deepEqual(await Promise.all(["/out", "/root/passwd", "/later/passwd"].map(served)), [404, 404, 404]);
      await deploy({ ...files, image: image(1) });
      assert.deepEqual(
        await Promise.all(
          ["/app-1.css", "/app-2.css", "/deep/x-1.js", "/deep/x-2.js", "/same.txt", "/later/passwd"].map(served),
        ),
        ["css 1", "css 2", "js 1", "js 2", "same 2", "no one"],
      );
      assert.equal(await on("grep -c 'no one' /etc/passwd || true"), "0");
      const container = `docker exec --user=0 keelson-shop-files-${await slot("files")}`;
      assert.match((await vps.run(`${container} touch /srv/assets/x`)).text, /Read-only file system/);
      await deploy({ ...files, image: image(2) });
      assert.deepEqual(await Promise.all(["/app-1.css", "/app-3.css"].map(served)), ["css 1", "css 3"]);
      await verb("rollback", "files");
      assert.deepEqual(await Promise.all(["/app-3.css", "/same.txt"].map(served)), ["css 3", "same 2"]);
      await deploy({ ...files, image: image(3) });
      await deploy({ ...files, image: image(2), environment: { N: "1" } });
      // Two images stay beside the one that serves, and their files with them.
      assert.deepEqual(await Promise.all(["/app-1.css", "/app-2.css", "/app-4.css"].map(served)), [
        404,
        "css 2",
        "css 4",
      ]);
      assert.equal(await on("ls /var/lib/keelson/shop/services/files/assets | wc -l"), "3");
      const refused = await vps.apply([{ ...files, image: `${vps.host.registry}/weft@${bare}` }]);
      assert.equal(refused.code, 1);
      assert.match(refused.text, /^files: its assets can't be taken out of \S+: .*\/srv\/assets/m);
      assert.equal(await served("/app-3.css"), "css 3");
      const { assets: _, ...without } = files;
      await deploy({ ...without, image: image(2) });
      assert.equal(await served("/app-2.css"), 404);
      assert.equal(await on("ls -d /var/lib/keelson/shop/services/files/assets 2>/dev/null || true"), "");
      assert.equal(await on("docker ps -aq --filter status=created | wc -l"), "0");
      await verb("status");
    });
  });
}
