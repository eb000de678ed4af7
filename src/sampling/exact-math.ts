// Natural logarithm, exponential and powers of two in plain IEEE double operations: Math.log, Math.exp and Math.pow may
// differ between engines.

const LN2_HIGH = 0.6931471803691238; // fdlibm's split: the high part has 21 trailing zero bits
const LN2_LOW = 1.9082149292705877e-10;

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer); // little endian, as every machine with WebGPU is
const EXPONENT_BIAS = 1023;

/** e^x within 2 ulp, for x <= 700; 0 below -708. */
export function exponential(x: number): number {
  if (!(x > -708)) return Number.isNaN(x) ? NaN : 0;
  const power = Math.round(x / Math.LN2);
  const r = x - power * LN2_HIGH - power * LN2_LOW;
  let sum = INVERSE_FACTORIALS[EXPONENTIAL_TERMS]!;
  for (let term = EXPONENTIAL_TERMS - 1; term >= 0; term--) sum = sum * r + INVERSE_FACTORIALS[term]!;
  return sum * powerOfTwo(power);
}
const EXPONENTIAL_TERMS = 13; // 0.35^14 / 14! < 2^-57
const INVERSE_FACTORIALS = new Float64Array(EXPONENTIAL_TERMS + 1);
for (let term = 0, factorial = 1; term <= EXPONENTIAL_TERMS; factorial *= ++term) {
  INVERSE_FACTORIALS[term] = 1 / factorial;
}

/** ln x within 2 ulp, for normal x > 0. By ln m = 2 artanh((m - 1) / (m + 1)), m in [sqrt 1/2, sqrt 2). */
export function naturalLog(x: number): number {
  double[0] = x;
  let power = (words[1]! >>> 20) - EXPONENT_BIAS;
  words[1] = (words[1]! & 0xfffff) | (EXPONENT_BIAS << 20);
  let mantissa = double[0]!;
  if (mantissa >= Math.SQRT2) {
    mantissa /= 2;
    power += 1;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s;
  let sum = 0;
  for (let odd = LOG_LAST_TERM; odd >= 3; odd -= 2) sum = square * (sum + 1 / odd);
  return power * LN2_HIGH + (power * LN2_LOW + 2 * s * (1 + sum));
}
const LOG_LAST_TERM = 21; // 0.172^22 / 23 < 2^-60

/** 2^exponent, for integers from -1022 to 1023. */
export function powerOfTwo(exponent: number): number {
  words[0] = 0;
  words[1] = (exponent + EXPONENT_BIAS) << 20;
  return double[0]!;
}

/** The smallest e with x < 2^e, for normal x > 0. */
export function exponentAbove(x: number): number {
  double[0] = x;
  return (words[1]! >>> 20) - EXPONENT_BIAS + 1;
}
