import { limits } from '@postern/limits';

/** Whatever one person does, there are connections for another. */
const MOST_TO_HOST = limits.awsConnectionsPerHost / 2;
const MOST = limits.awsRequestsPerUser;

/**
 * What each person has under way to each host, and to all of them. Connections and descriptors are few, and a request holds its own for as
 * long as its client likes: without a bound one person could hold them all.
 */
export class UserShares {
  readonly #underWay = new Map<string, number>();

  /** Undefined: it may go, and `leave` is to be called once. Else why it may not, and what to do. */
  enter(user: string, host: string): string | undefined {
    const share = shareOf(user, host);
    const toHost = this.#count(share);
    const all = this.#count(user);
    if (toHost >= MOST_TO_HOST) return `${user} has ${toHost} requests to ${host} under way, as many as one user may: send fewer at a time`;
    if (all >= MOST) return `${user} has ${all} requests to AWS under way, as many as one user may: send fewer at a time`;
    this.#underWay.set(share, toHost + 1).set(user, all + 1);
    return undefined;
  }

  leave(user: string, host: string): void {
    for (const share of [shareOf(user, host), user]) {
      const left = this.#count(share) - 1;
      if (left > 0) this.#underWay.set(share, left);
      else this.#underWay.delete(share);
    }
  }

  #count(share: string): number {
    return this.#underWay.get(share) ?? 0;
  }
}

/** No name holds a line feed, so that none is another's share. */
function shareOf(user: string, host: string): string {
  return `${host}\n${user}`;
}
