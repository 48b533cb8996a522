/** @throws {RangeError} when a limit is not a whole number of bytes or levels: as NaN it would hold nothing back. */
export function checkLimit(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new RangeError(`${name} must be a whole number that is not negative: ${value}`);
}
