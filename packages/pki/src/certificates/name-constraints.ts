/** RFC 5280, 4.2.1.10. */
export const nameConstraintsOid = '2.5.29.30';

const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;
const SEQUENCE = 0x30;
const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;
/** Address and mask of every IPv4 and every IPv6 address: a constraint on names says nothing of a certificate for an address. */
const ALL_ADDRESSES = [Buffer.alloc(8), Buffer.alloc(32)];

/** DER of constraints under which an authority signs for these domains and what is below them, and for no address. */
export function nameConstraints(domains: readonly string[]): Buffer {
  const subtree = (tag: number, value: Buffer) => element(SEQUENCE, element(tag, value));
  const permitted = domains.map((domain) => subtree(DNS_NAME, Buffer.from(domain, 'latin1')));
  const excluded = ALL_ADDRESSES.map((address) => subtree(IP_ADDRESS, address));
  return element(SEQUENCE, Buffer.concat([element(PERMITTED, Buffer.concat(permitted)), element(EXCLUDED, Buffer.concat(excluded))]));
}

function element(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag, ...lengthOctets(content.length)]), content]);
}

/** X.690, 10.1: the shortest form. */
function lengthOctets(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}
