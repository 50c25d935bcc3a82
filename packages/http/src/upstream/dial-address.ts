import { BlockList, isIP } from 'node:net';
import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns';

/**
 * Addresses that no AWS host has: this machine, and the link-local range where instance metadata hands out the agent's
 * own credentials. A name that resolves there is an attack or a mistake. Private ranges stay open: VPC endpoints live there.
 */
const never = new BlockList();
never.addSubnet('0.0.0.0', 8, 'ipv4');
never.addSubnet('127.0.0.0', 8, 'ipv4');
never.addSubnet('169.254.0.0', 16, 'ipv4');
never.addSubnet('224.0.0.0', 4, 'ipv4');
never.addAddress('::', 'ipv6');
never.addAddress('::1', 'ipv6');
never.addSubnet('fe80::', 10, 'ipv6');
never.addSubnet('ff00::', 8, 'ipv6');
never.addAddress('fd00:ec2::254', 'ipv6');
never.addAddress('fd00:ec2::23', 'ipv6');

export function mayBeDialled(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  // BlockList judges an IPv4 address written within an IPv6 one by the IPv4 rules.
  return !never.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

export type Resolve = (
  hostname: string,
  options: { readonly all: true; readonly family: number },
  done: (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
) => void;
type LookupDone = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;

/** A lookup for net.connect and tls.connect that gives no address which may not be dialled. */
export function guardedLookup(resolve: Resolve = systemLookup): (hostname: string, options: LookupOptions, done: LookupDone) => void {
  return (hostname, options, done) => {
    const family = options.family === 4 || options.family === 6 ? options.family : 0;
    resolve(hostname, { all: true, family }, (error, found) => {
      if (error) return done(error, '');
      const allowed = found.filter(({ address }) => mayBeDialled(address));
      const [first] = allowed;
      if (!first)
        return done(
          Object.assign(new Error(`${hostname} resolves to an address of this machine or of its link: not dialled`), {
            code: 'ENOTALLOWED',
          }),
          '',
        );
      if (options.all) return done(null, allowed);
      done(null, first.address, first.family);
    });
  };
}
