import { sha256 } from "../hash.ts";
import { proxyFile } from "./names.ts";
import type { HostService } from "./service.ts";

/** What HAProxy itself answers with (configuration.html, 3.6): bad and slow requests, and a container that does not answer well. */
const STATUSES = ["400", "408", "500", "502", "503", "504"];
/** The page of a service that was taken out of service by hand. */
const MAINTENANCE = "maintenance.html";
/** Bytes: of HAProxy's buffer (tune.bufsize, 16,384) with what an answer's head needs; 15,900 were seen to go, 16,380 not. */
const ROOM = 15_000;
/** Of {@link ROOM}, what a message may take: 300 characters, each written as an entity of 6. */
const MESSAGE_ROOM = 2_000;
/** Stands for the message in a page. */
const MESSAGE = "{{message}}";

/** Files that a folder of pages may have. */
export const PAGE_FILES: readonly string[] = [...STATUSES.map((status) => `${status}.html`), MAINTENANCE];

/** What is wrong with one page. @example pageFaults("503.html", text) // ["503.html has 20000 bytes: 15000 fit"] */
export function pageFaults(file: string, text: string): string[] {
  if (!PAGE_FILES.includes(file)) return [`${file} is no page of a proxy: there are ${PAGE_FILES.join(", ")}`];
  const [size, most] = [Buffer.byteLength(text), file === MAINTENANCE ? ROOM - MESSAGE_ROOM : ROOM];
  return [
    ...(text.trim() === "" ? [`${file} is empty`] : []),
    ...(size > most ? [`${file} has ${size} bytes: HAProxy's buffer has room for ${most}`] : []),
    ...(text.includes("\0") ? [`${file} has a zero byte, and is no text`] : []),
    ...(file === MAINTENANCE && text.split(MESSAGE).length > 2 ? [`${file} has ${MESSAGE} more than once`] : []),
  ];
}

/** The pages of a service as its proxy reads them, by file. That for maintenance is a format of HAProxy's, with the message in it. */
export function renderPages(app: string, { name, errorPages = {} }: HostService): Readonly<Record<string, string>> {
  const pages = { ...errorPages, [MAINTENANCE]: errorPages[MAINTENANCE] ?? PAGE };
  return Object.fromEntries(
    Object.entries(pages)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([file, text]) => [
        file,
        file === MAINTENANCE
          ? text.replaceAll("%", "%%").replace(MESSAGE, () => `%[${message(app, name)},b64dec]`)
          : text,
      ]),
  );
}

const HTML = 'content-type "text/html; charset=utf-8"';
const HEADERS = "hdr cache-control no-store";

/** HAProxy's lines for what it answers where no container does. What a page says is in its line, too: another page is another setting. */
export function errorLines(app: string, service: HostService): string[] {
  return Object.entries(service.errorPages ?? {})
    .filter(([file]) => file !== MAINTENANCE)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, text]) => {
      const place = proxyFile(app, service.name, file);
      return `  http-error status ${file.slice(0, 3)} ${HTML} file ${place} ${HEADERS} # sha256:${sha256(text)}`;
    });
}

/** HAProxy's line for maintenance: a message in the map, which the host's program changes by the socket and in the file. */
export function maintenanceLine(app: string, service: HostService): string {
  const text = renderPages(app, service)[MAINTENANCE] ?? "";
  const page = `lf-file ${proxyFile(app, service.name, MAINTENANCE)} ${HEADERS} hdr retry-after ${RETRY}`;
  const asked = `if { ${message(app, service.name)} -m found }`;
  return `  http-request return status 503 ${HTML} ${page} ${asked} # sha256:${sha256(text)}`;
}

/** Seconds after which a client may ask again. */
const RETRY = 60;

function message(app: string, service: string): string {
  return `str(message),map(${proxyFile(app, service, "maintenance")})`;
}

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Maintenance</title>
<style>
  body { max-width: 32em; margin: 20vh auto 0; padding: 0 1em; font: 1.1em/1.5 system-ui, sans-serif }
  @media (prefers-color-scheme: dark) { body { color: #ddd; background: #111 } }
</style>
<h1>Maintenance</h1>
<p>${MESSAGE}</p>
</html>
`;
