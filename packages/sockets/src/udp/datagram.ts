/** One datagram, as it arrived. */
export interface Datagram {
  readonly data: Uint8Array;
  /** Who sent it. */
  readonly from: { readonly host: string; readonly port: number };
}
