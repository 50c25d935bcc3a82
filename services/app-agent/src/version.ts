/** Told to auth and proxies; the two must agree about what they speak. */
export const VERSION = '0.1.0';
