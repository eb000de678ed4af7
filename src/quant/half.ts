// IEEE binary16 to a number, exactly.

const POWERS = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (exponent - 25));

/** The value of 16 bits of half precision: subnormals, infinities and NaN included. */
export function halfToNumber(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const magnitude =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : (1024 + fraction) * POWERS[exponent]!;
  return bits & 0x8000 ? -magnitude : magnitude;
}
