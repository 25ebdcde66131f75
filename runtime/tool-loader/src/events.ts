import type { Source } from "./local/marker.ts";
import type { VolumeFault } from "./volume/volume.ts";

/** What a job is at with a tool. */
export type Phase = "waiting" | "restoring" | "downloading" | "installing" | "verifying" | "saving";

/** What a job tells; one JSON object a line from a job's process to the loader. */
export type JobEvent =
  | { readonly event: "phase"; readonly tool: string; readonly phase: Phase }
  | { readonly event: "progress"; readonly tool: string; readonly done: number; readonly total: number | null }
  | {
      readonly event: "installed";
      readonly tool: string;
      readonly version: string;
      readonly source: Source;
      readonly seconds: number;
      /** True where the volume has it. */
      readonly saved: boolean;
    }
  | {
      readonly event: "failed";
      readonly tool: string;
      readonly message: string;
      readonly transient: boolean;
      readonly log?: string;
    }
  /** It was looked for on the volume alone, and is not there. */
  | { readonly event: "absent"; readonly tool: string }
  | { readonly event: "saved"; readonly tool: string }
  | { readonly event: "unsaved"; readonly tool: string; readonly message: string }
  /** A fault of null says that the volume did what it should. */
  | { readonly event: "volume"; readonly fault: VolumeFault | null; readonly message: string }
  | { readonly event: "note"; readonly level: "info" | "warn"; readonly tool?: string; readonly message: string };

export type Report = (event: JobEvent) => void;
