const FACTORS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const DECIMAL: Readonly<Record<string, number>> = { k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

/**
 * Bytes of a size as docker and compose write it (`512m`, `2gb`: powers of 1024).
 * @example bytesOf("2g") // 2147483648
 */
export function bytesOf(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text.trim());
  return match ? Math.round(Number(match[1]) * (FACTORS[(match[2] ?? "").toLowerCase()] ?? 1)) : undefined;
}

/**
 * Bytes of a Kubernetes quantity: `512Mi` is binary, `512M` decimal.
 * @example quantityOf("1Gi") // 1073741824
 */
export function quantityOf(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kKMGT]?)(i?)$/.exec(text.trim());
  if (!match) return undefined;
  const unit = (match[2] ?? "").toLowerCase();
  return Math.round(Number(match[1]) * ((match[3] === "i" ? FACTORS : { "": 1, ...DECIMAL })[unit] ?? 1));
}
