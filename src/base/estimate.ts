// A number that follows what is measured, without following each measurement.

export interface Estimate {
  /** Undefined before the first measurement. */
  readonly value: number | undefined;
  saw(measured: number): void;
}

/** The first measurement as it is; from then on, each draws the value towards it by `weight` of the difference. */
export function createEstimate(weight: number): Estimate {
  let value: number | undefined;
  return {
    get value() {
      return value;
    },
    saw(measured) {
      value = value === undefined ? measured : value + (measured - value) * weight;
    },
  };
}
