import { type Found, NobodyListens } from '@postern/membership';
import { withPort } from '@postern/profile/proxy-address';
import { say } from '@postern/terminal/output';

/** Tried where no port was written and nobody listens at 443: the port that a cluster listens on by default. */
const SECOND_PORT = 3080;

/**
 * Who answers at the address. The second port is for a host where nothing listens at the first, and for nothing else: whoever
 * answered there and was refused, by its pin or its certificate, is what the person has to hear of.
 */
export async function findProxy(address: string, ask: (proxy: string) => Promise<Found>): Promise<{ proxy: string; found: Found }> {
  const proxy = withPort(address);
  const second = withPort(address, SECOND_PORT);
  try {
    return { proxy, found: await ask(proxy) };
  } catch (error) {
    const written = proxy === second;
    if (written || !(error instanceof NobodyListens)) throw error;
    say(`nobody answers at ${proxy}, trying ${second}`);
    // Where nobody is there either, the first answer is the one that was asked for.
    const found = await ask(second).catch((other: unknown) => Promise.reject(other instanceof NobodyListens ? error : other));
    return { proxy: second, found };
  }
}
