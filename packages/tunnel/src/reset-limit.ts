import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';

export interface ResetLimit {
  /** So many streams of one connection may end in a reset at once. */
  readonly atOnce: number;
  /** And so many in each second after that. */
  readonly perSecond: number;
  /** What the far end did not begin, it may end as it likes. */
  readonly isExcused?: (stream: ServerHttp2Stream) => boolean;
}

/**
 * Ends a connection whose streams keep ending in a reset, whoever sent it: a call that is withdrawn as soon as it is made costs the
 * server a call and the client nothing (CVE-2023-44487), and a client can have the server do the resetting (CVE-2025-8671). nghttp2
 * ends a connection after a thousand of the first kind at once and 33 a second after that, which is for browsers.
 */
export function limitResets(session: ServerHttp2Session, limit: ResetLimit, nowMs: () => number = () => performance.now()): void {
  let left = limit.atOnce;
  let countedMs = nowMs();
  session.on('stream', (stream: ServerHttp2Stream) => {
    stream.once('close', () => {
      // Reset by the client with NO_ERROR, it was not answered to its end.
      if (stream.rstCode === constants.NGHTTP2_NO_ERROR && !stream.aborted) return;
      if (limit.isExcused?.(stream) === true) return;
      const now = nowMs();
      left = Math.min(limit.atOnce, left + ((now - countedMs) / 1000) * limit.perSecond) - 1;
      countedMs = now;
      if (left >= 0 || session.destroyed) return;
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      session.destroy();
    });
  });
}
