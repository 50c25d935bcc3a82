// Session certificates a second: issued by auth to several users at once, each recorded in the audit log before it is given out.
import { ROLE } from '../test/harness/cluster.ts';
import { issueSession } from '../test/harness/dial.ts';
import { AuthCluster, DATABASE } from './auth-cluster.mjs';
import { printRates, rateOf, repeat } from './rates.mjs';
import { say } from './report.mjs';

export const options = { 'certs-ms': { type: 'string', default: '4000' } };
const USERS = 4;
/** Callers at once, each with a connection of its own. */
const CALLERS = [1, 16];

export async function run(flags) {
  const auth = new AuthCluster();
  try {
    await auth.start({ users: USERS, hosts: 1 });
    const actOf = (client) => () => issueSession(client, { db: DATABASE, principal: ROLE });
    const acts = Array.from({ length: Math.max(...CALLERS) }, (_, at) => actOf(auth.userChannel(at)));
    say('warming up');
    await repeat(acts, 1500);
    const rates = [];
    for (const callers of CALLERS) {
      say(`certificates to ${callers} at once`);
      const recordsBefore = await auth.records();
      const { found, ...measured } = await auth.measure(() => repeat(acts.slice(0, callers), Number(flags['certs-ms'])));
      const recorded = (await auth.records()) - recordsBefore;
      if (recorded !== found.length) throw new Error(`${found.length} certificates were issued and ${recorded} events recorded`);
      rates.push({ callers, ...rateOf(found, measured) });
    }
    return rates;
  } finally {
    await auth.stop();
  }
}

export function print(rates) {
  const labelled = rates.map(({ callers, ...rate }) => [`${callers} at once`, rate]);
  printRates(`certs: session certificates, to ${USERS} users in turns, each in the log`, labelled);
}
