export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const HASH = 0x23;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const EQUALS = 0x3d;

/** 1 for each octet of a token: RFC 9110 5.6.2. */
export const TOKEN = tableOf((octet) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(octet)));
/** 1 for each octet that may stand within a field's value: RFC 9110 5.5, without the controls that it only advises against. */
export const VALUE = tableOf((octet) => octet === TAB || (octet >= SP && octet !== 0x7f));
/** 1 for each octet of an origin-form target: visible ASCII, but no fragment. */
export const TARGET = tableOf((octet) => octet > SP && octet < 0x7f && octet !== HASH);
/** 1 for each octet that a head may hold anywhere, its line ends included. */
export const HEAD = tableOf((octet) => VALUE[octet] === 1 || octet === CR || octet === LF);

/** The value of a hexadecimal digit, or -1. */
export function hexDigit(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function tableOf(holds: (octet: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, octet) => (holds(octet) ? 1 : 0));
}
