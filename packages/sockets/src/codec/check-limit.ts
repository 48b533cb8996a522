/** @throws {RangeError} when a limit is not a whole number of `min` or more. NaN, for example, would disable it. */
export function checkLimit(name: string, value: number, min = 0): void {
  if (Number.isSafeInteger(value) && value >= min) return;
  throw new RangeError(`${name} must be a whole number of ${min} or more: ${value}`);
}

/** @throws {TypeError} when a value is not one of the choices. */
export function checkChoice<T extends string>(name: string, value: T, ...choices: readonly T[]): void {
  if (!choices.includes(value)) throw new TypeError(`${name} must be ${choices.join(" or ")}: ${value}`);
}
