import type { Admitted } from '#presence/served-set.ts';
import type { LiveSession } from '#session/live-session.ts';

export interface NoPlace {
  readonly reason: string;
}

/**
 * Where a session's requests go and as whom: everything that does not change from one request to the next, kept until the resource
 * or its labels change. The resource is the certificate's: a stream has no way to name another.
 */
export class SessionPlaces<R, P extends object> {
  readonly #admitted: (name: string) => Admitted<R> | undefined;
  readonly #make: (session: LiveSession, admitted: Admitted<R>) => P | NoPlace;
  readonly #places = new WeakMap<LiveSession, { readonly from: Admitted<R>; readonly place: P | NoPlace }>();

  constructor(admitted: (name: string) => Admitted<R> | undefined, make: (session: LiveSession, admitted: Admitted<R>) => P | NoPlace) {
    this.#admitted = admitted;
    this.#make = make;
  }

  of(session: LiveSession): P | NoPlace {
    const { resourceKind, resourceName } = session.facts.route;
    const from = this.#admitted(resourceName);
    if (!from) return { reason: `${resourceKind}/${resourceName} is not served by this agent` };
    const kept = this.#places.get(session);
    if (kept?.from === from) return kept.place;
    const place = this.#make(session, from);
    this.#places.set(session, { from, place });
    return place;
  }
}
