import { execa } from "execa";
import { mapBounded } from "../parallel.ts";

/** The control stanza of a .deb file, as `dpkg-deb --field` prints it: ends with a newline. */
export async function readControl(deb: string): Promise<string> {
  const { stdout } = await execa("dpkg-deb", ["--field", deb], { env: { LC_ALL: "C.UTF-8" } });
  return `${stdout.trimEnd()}\n`;
}

/** {@link readControl} of many, in their order. */
export function readControls(debs: readonly string[]): Promise<string[]> {
  return mapBounded(debs, 4, readControl);
}

/** Stanzas of dpkg's status file that say: these are installed. */
export function installedStatus(controls: readonly string[]): string {
  return controls.map((c) => `${c.trimEnd()}\nStatus: install ok installed\n\n`).join("");
}

/** A field of a control stanza, without continuation lines. @example controlField(stanza, "Package") // "curl" */
export function controlField(control: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)$`, "m").exec(control)?.[1];
}
