/**
 * Parts are copied into one write when they have at most this many bytes on average. Written apart, the overhead of
 * each would exceed its bytes.
 */
export const JOINED_BYTES_MAX = 1_024;
