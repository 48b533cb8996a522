/** One datagram, as it arrived. */
export interface Datagram {
  /** 0 to 65,507 bytes, or 65,527 over IPv6; its own memory. */
  readonly data: Uint8Array;
  /** Who sent it. */
  readonly from: { readonly host: string; readonly port: number };
}
