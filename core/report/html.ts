import type { Block } from "./document.ts";
import { type ImagesReport, lineageOf } from "./images.ts";
import { overview, platformBlocks } from "./images-document.ts";
import { escapeHtml, lineageSvg, treemapSvg } from "./svg.ts";
import { megabytes } from "./units.ts";

const STYLE = `
:root{--fg:#1c2128;--dim:#57606a;--bg:#fff;--panel:#f6f8fa;--line:#d0d7de;--own:#1f5f99;--old:#a9b4c0}
@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--dim:#9aa4af;--bg:#0d1117;--panel:#161b22;--line:#30363d;--own:#5aa2e0;--old:#4b5561}}
body{margin:0 auto;max-width:1040px;padding:24px;color:var(--fg);background:var(--bg);font:14px/1.5 system-ui,sans-serif}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:36px 0 8px}h3{font-size:15px;margin:22px 0 6px}
p{margin:6px 0;overflow-wrap:anywhere}.dim,p{color:var(--dim)}ul{margin:6px 0;padding-left:20px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;margin:8px 0}
th,td{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{font-weight:600;color:var(--dim)}td.n,th.n{text-align:right;white-space:nowrap}
details{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:8px 14px;margin:10px 0}
summary{cursor:pointer;font-weight:600}.scroll{overflow-x:auto}
svg{display:block;width:100%;height:auto;margin:10px 0}svg text{font:11px system-ui,sans-serif;fill:#fff;pointer-events:none}
.treemap g:hover>rect{stroke-width:2;stroke-opacity:1}
.lineage .box{fill:var(--panel);stroke:var(--line)}.lineage .name{font-weight:600;font-size:12px;fill:var(--fg)}
.lineage .size{fill:var(--dim)}.lineage .own{fill:var(--own)}.lineage .inherited{fill:var(--old)}
.lineage .edge{fill:none;stroke:var(--dim);stroke-width:1.4}
`;

/** The report on images as one HTML page that needs nothing else: no script, no font, no address. */
export function imagesHtml(report: ImagesReport): string {
  const platforms = report.pulls.map((p) => p.platform);
  const lineages = platforms.map((platform) => {
    const { shared, names } = lineageOf(report, platform);
    return `<h3>${escapeHtml(platform)}</h3><div class="scroll">${lineageSvg(shared, ({ analysis }) => names.get(analysis) ?? "")}</div>`;
  });
  const images = report.images.flatMap((image) =>
    image.platforms.map((platform) => {
      const { analysis } = platform;
      const heading = `${image.name}, ${analysis.platform}`;
      const sizes = `${megabytes(analysis.compressed)} to pull, ${megabytes(analysis.unpacked)} unpacked, ${megabytes(analysis.final)} of files`;
      return `<h2>${escapeHtml(heading)}</h2>\n<p>${escapeHtml(sizes)}</p>\n${treemapSvg(analysis.tree, heading)}\n<details><summary>Layers, directories, packages, waste, history</summary>\n${toHtml(platformBlocks(platform))}\n</details>`;
    }),
  );
  const history = report.images.flatMap((image) =>
    image.history.length === 0 ? [] : [historyHtml(image.name, image.history)],
  );
  return page("Image sizes", [
    "<h1>Image sizes</h1>",
    toHtml(overview(report)),
    "<h2>Lineage</h2>",
    '<p>Each box is an image on its base. The bar is what a machine pulls: <span style="color:var(--own)">■</span> its own part, <span style="color:var(--old)">■</span> inherited.</p>',
    ...lineages,
    ...images,
    ...history,
  ]);
}

/** A page of its own for any report. */
export function page(name: string, body: readonly string[]): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(name)}</title><style>${STYLE}</style></head>
<body>
${body.join("\n")}
</body></html>
`;
}

/** Blocks as HTML. */
export function toHtml(blocks: readonly Block[]): string {
  return blocks.map(htmlBlock).join("\n");
}

function htmlBlock(block: Block): string {
  switch (block.kind) {
    case "title":
      return `<h${block.level}>${escapeHtml(block.text)}</h${block.level}>`;
    case "text":
      return `<p>${escapeHtml(block.text)}</p>`;
    case "list":
      return `<ul>${block.items.map((item) => `<li>${escapeHtml(item)}</li>`).join("")}</ul>`;
    case "details":
      return `<details><summary>${escapeHtml(block.summary)}</summary>\n${toHtml(block.blocks)}\n</details>`;
    case "table":
      return tableHtml(block.header, block.rows);
  }
}

function tableHtml(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const numeric = header.map(
    (_, i) => rows.length > 0 && rows.every((row) => /^(?:[±+−-]?\d[\d.]* ?(?:MB|%)?|-|)$/.test(row[i] ?? "")),
  );
  const cell = (tag: "td" | "th") => (text: string, i: number) =>
    `<${tag}${numeric[i] ? ' class="n"' : ""}>${escapeHtml(text)}</${tag}>`;
  const body = rows.map((row) => `<tr>${row.map(cell("td")).join("")}</tr>`).join("\n");
  return `<div class="scroll"><table><thead><tr>${header.map(cell("th")).join("")}</tr></thead>\n<tbody>${body}</tbody></table></div>`;
}

type History = ImagesReport["images"][number]["history"];

/** How an image's size went over its builds: a bar for each. */
function historyHtml(name: string, history: History): string {
  const largest = Math.max(1, ...history.map((p) => p.compressed));
  const rows = history.map((p) => {
    const bar = `<svg viewBox="0 0 200 10" style="width:200px;margin:4px 0"><rect width="${Math.round((p.compressed / largest) * 200)}" height="10" style="fill:var(--own)"/></svg>`;
    return `<tr><td>${escapeHtml(p.label)}</td><td>${escapeHtml(p.platform)}</td><td class="n">${megabytes(p.compressed)}</td><td>${bar}</td></tr>`;
  });
  return `<h2>${escapeHtml(name)}: earlier builds</h2>\n<table><tbody>${rows.join("\n")}</tbody></table>`;
}
