/**
 * The header of a file in a tar, byte for byte as Go's archive/tar writes one with a name, a size and mode 0600 alone.
 * Names of up to 100 bytes of ASCII; longer ones give another hash than Pulumi's SDK would, and no harm.
 */
export function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write("0000600\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.fill(" ", 148, 156);
  header.write("0", 156);
  header.write("ustar\0" + "00", 257);
  header.write("0000000\0", 329);
  header.write("0000000\0", 337);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}
