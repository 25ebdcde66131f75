/** Suffixes of quantities and the powers of ten or of 1024 that they stand for (k8s.io/apimachinery, resource.Quantity). */
const DECIMAL = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/** The finest part that a quantity holds, of one. */
const NANO = 1_000_000_000n;

/**
 * A quantity as the API server writes it back, so that the same amount is no difference; what is no quantity stays.
 * @example canonicalQuantity("1000m") // "1"
 * @example canonicalQuantity("0.5Gi") // "512Mi"
 */
export function canonicalQuantity(quantity: string | number): string {
  const text = String(quantity).trim();
  const parsed = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+)?$/.exec(text);
  if (parsed === null) return text;
  const [, sign = "", digits = "", suffix = ""] = parsed;
  const nanos = toNanos(digits, suffix);
  if (nanos === undefined) return text;
  const minus = sign === "-" && nanos !== 0n ? "-" : "";
  if (/^[eE][+-]?\d/.test(suffix)) return minus + exponential(nanos);
  // Less than 1024 of something binary is written in decimals.
  if (BINARY.includes(suffix) && suffix !== "" && nanos >= 1024n * NANO) return minus + binary(nanos);
  return minus + decimal(nanos);
}

/** Rounded up, as the API server does. */
function toNanos(digits: string, suffix: string): bigint | undefined {
  const [whole = "", fraction = ""] = digits.split(".");
  let numerator = BigInt(`${whole}${fraction}` || "0") * NANO;
  let denominator = 10n ** BigInt(fraction.length);
  const exponent = /^[eE]([+-]?\d+)$/.exec(suffix)?.[1];
  const power = exponent === undefined ? (DECIMAL.indexOf(suffix) - 3) * 3 : Number(exponent);
  if (Math.abs(power) > 30) return undefined;
  if (BINARY.includes(suffix) && suffix !== "") numerator *= 1024n ** BigInt(BINARY.indexOf(suffix));
  else if (power >= 0) numerator *= 10n ** BigInt(power);
  else denominator *= 10n ** BigInt(-power);
  return (numerator + denominator - 1n) / denominator;
}

function decimal(nanos: bigint): string {
  const { mantissa, steps } = reduce(nanos, 1000n, DECIMAL.length - 1);
  return `${mantissa}${mantissa === 0n ? "" : DECIMAL[steps]}`;
}

function exponential(nanos: bigint): string {
  const { mantissa, steps } = reduce(nanos, 1000n, 20);
  const exponent = (steps - 3) * 3;
  return mantissa === 0n || exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
}

function binary(nanos: bigint): string {
  const { mantissa, steps } = reduce((nanos + NANO - 1n) / NANO, 1024n, BINARY.length - 1);
  return `${mantissa}${BINARY[steps]}`;
}

function reduce(value: bigint, base: bigint, most: number): { readonly mantissa: bigint; readonly steps: number } {
  let mantissa = value;
  let steps = 0;
  while (mantissa !== 0n && steps < most && mantissa % base === 0n) {
    mantissa /= base;
    steps++;
  }
  return { mantissa, steps };
}
