// Gives a build of Next.js the keys that follow from its id, in place of random ones: the same files are the same image.
//
//   node keys.mjs BUILD
//
// They sign draft cookies and seal what Server Actions close over. Whoever has the image has either kind of key, so neither
// may be what guards anything: an application that uses Server Actions sets NEXT_SERVER_ACTIONS_ENCRYPTION_KEY from a Secret
// when it runs, which Next.js prefers to the key in the image.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
const id = readFileSync(join(folder, "BUILD_ID"), "utf8");
const LENGTHS = { previewModeId: 32, previewModeSigningKey: 64, previewModeEncryptionKey: 64 };
for (const name of ["prerender-manifest.json", "server/preview-props.json"]) {
  const file = join(folder, name);
  if (!existsSync(file)) continue;
  let text = readFileSync(file, "utf8");
  for (const [key, length] of Object.entries(LENGTHS))
    text = text.replace(new RegExp(`("${key}": ?")[0-9a-f]+"`, "g"), `$1${hash(key).slice(0, length)}"`);
  writeFileSync(file, text);
}

function hash(of) {
  return createHash("sha256").update(`${id} ${of}`).digest("hex");
}
