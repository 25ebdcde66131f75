import { elfSections } from "./elf.ts";
import { type FatbinReport, fatbinCollector } from "./report.ts";
import { type Reading, walkFatbins } from "./walk.ts";

/** Sections that hold fat binaries: linked device code, and relocatable device code. */
const SECTIONS = [".nv_fatbin", "__nv_relfatbin"];

/**
 * Reads the fat binaries of a file that can be read at any offset: those of an ELF file's CUDA sections; of any other file
 * (.fatbin, an ELF file without a section table) those that are found by their magic number.
 * @param fileSize bytes
 */
export function* readFatbins(fileSize: number): Reading<FatbinReport> {
  const sections = yield* elfSections(fileSize);
  if (sections === undefined) return yield* scanFatbins(fileSize);
  const collector = fatbinCollector();
  for (const { name, offset, size } of sections.filter((s) => SECTIONS.includes(s.name))) {
    const before = collector.report().containers;
    yield* walkFatbins(offset, offset + size, collector);
    if (collector.report().containers === before)
      collector.problem(`section ${name} of ${size} bytes holds no fat binary`);
  }
  return collector.report();
}

/**
 * Reads the fat binaries of a file by their magic number alone, asking for bytes in rising order: for streams, such as a file
 * inside a layer. In ELF files of CUDA programs it finds what {@link readFatbins} does.
 */
export function* scanFatbins(fileSize: number): Reading<FatbinReport> {
  const collector = fatbinCollector();
  yield* walkFatbins(0, fileSize, collector);
  return collector.report();
}
