/** CUDA fat binaries: which architectures a compiled file holds. */
export type { FatbinImage } from "./fatbin/format.ts";
export { readFatbins, scanFatbins } from "./fatbin/reading.ts";
export { type FatbinArch, type FatbinReport, uniteReports } from "./fatbin/report.ts";
export type { Reading, ReadRequest } from "./fatbin/walk.ts";
