/**
 * Compute capability of an NVIDIA GPU, `major.minor`: the version of its streaming multiprocessor.
 * @example "8.9" // RTX 4090, sm_89
 */
export type Capability = `${number}.${number}`;

const PATTERN = /^(0|[1-9]\d?)\.(\d)$/;

/**
 * Whether a text is a compute capability in its canonical form: one or two digits, a dot, one digit.
 * @example isCapability("8.9") // true; "89", "8.90" and "08.9" are false
 */
export function isCapability(text: string): text is Capability {
  return PATTERN.test(text);
}

/** Major and minor version. @example capabilityParts("12.0") // { major: 12, minor: 0 } */
export function capabilityParts(capability: Capability): { readonly major: number; readonly minor: number } {
  const [major = "0", minor = "0"] = capability.split(".");
  return { major: Number(major), minor: Number(minor) };
}

/** The number that compilers use. @example smNumber("8.9") // 89; smNumber("12.0") // 120 */
export function smNumber(capability: Capability): number {
  const { major, minor } = capabilityParts(capability);
  return major * 10 + minor;
}

/** Capability of a compiler's number. @example capabilityOf(89) // "8.9"; capabilityOf(120) // "12.0" */
export function capabilityOf(sm: number): Capability {
  return `${Math.trunc(sm / 10)}.${sm % 10}`;
}

/** Order by version, for `toSorted`. @example ["12.0", "8.9"].toSorted(compareCapabilities) // ["8.9", "12.0"] */
export function compareCapabilities(a: Capability, b: Capability): number {
  return smNumber(a) - smNumber(b);
}
