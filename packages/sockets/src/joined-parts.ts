/** Parts of up to so many bytes on average are copied together: each by itself would cost more than its bytes. */
export const JOINED_BYTES_MAX = 1_024;
