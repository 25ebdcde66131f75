/**
 * What the size spike of the worker images measured and planned on 2026-01-25: the numbers that today's are held
 * against. MB of 10^6 bytes as Docker prints them; packages in KiB of dpkg's Installed-Size, as the spike lists them.
 */
export const SPIKE = {
  date: "2026-01-25",
  cliVersion: "2.1.19",
  /** Sizes of the images that were compared, in bytes. */
  images: { noGit: 469e6, git: 588e6, full: 2850e6, base: 74e6 },
  /** Its tables "Layer Breakdown", in bytes. */
  breakdown: {
    noGit: { cli: 206e6, usr: 126e6, var: 6.7e6, etc: 1.3e6 },
    git: { cli: 206e6, usr: 213e6, var: 7.3e6, etc: 1.4e6 },
  },
  /** Its tables "Key Package Sizes", in bytes (KiB times 1024). */
  packages: {
    noGit: kib({
      libc6: 23_130,
      coreutils: 20_272,
      locales: 15_846,
      "util-linux": 7_910,
      "perl-base": 7_844,
      bash: 7_295,
      libssl3: 5_982,
    }),
    git: kib({
      git: 45_520,
      "libperl5.36": 30_617,
      libc6: 23_130,
      coreutils: 20_272,
      "perl-modules": 17_817,
      locales: 15_846,
    }),
  },
  /** What its options were to save, in bytes; UPX in parts of the binary. */
  options: { git: 119e6, alpine: 50e6, locales: 16e6, upx: [0.5, 0.7] },
} as const;

/** Upper bounds for the unpacked size, in bytes: the first plan, the revised one, and the one for images with git. */
export const TARGETS = { plan: 300e6, revised: 500e6, git: 600e6 } as const;

function kib<K extends string>(packages: Record<K, number>): Readonly<Record<K, number>> {
  return Object.fromEntries(Object.entries<number>(packages).map(([name, size]) => [name, size * 1024])) as Record<
    K,
    number
  >;
}
