/** A received datagram. */
export interface Datagram {
  /** 0 to 65,507 bytes, or 65,527 over IPv6, in memory of its own. */
  readonly data: Uint8Array;
  /** The sender's address. */
  readonly from: { readonly host: string; readonly port: number };
}
