/** Something that auth did or refused, as the audit log keeps it. Names and codes are Teleport's where it has one. */
export interface Act {
  readonly kind: string;
  readonly code: string;
  readonly success?: boolean;
  /** Who did it: a user's name, a host's id, or "admin" for the local administrator. */
  readonly user?: string;
  /** "role/access", "db/orders". */
  readonly resource?: string;
  readonly sessionId?: string;
  /** Never a secret: tokens by their id, passwords not at all. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/**
 * Resolves once the act is durable. An act is recorded before it is answered, and before its effect where the effect
 * cannot be taken back: a log that cannot be written refuses the act with `unavailable`.
 */
export interface Trail {
  record(act: Act): Promise<void>;
}
