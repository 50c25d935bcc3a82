import type { Duplex } from 'node:stream';

/**
 * Joins two connections: each end's bytes go to the other, a slow end holds the other back, half-close passes on, and
 * whatever breaks one closes both. An end that has said and taken everything closes alone: the other may still be
 * handing its last bytes to a slow reader.
 */
export function joinStreams(one: Duplex, other: Duplex, onClosed: () => void = () => undefined): { readonly close: () => void } {
  let open = [one, other].filter(({ closed }) => !closed).length;
  const close = () => {
    one.destroy();
    other.destroy();
  };
  for (const end of [one, other]) {
    end.on('error', close).once('close', () => {
      open -= 1;
      if (!end.readableEnded || !end.writableFinished) close();
      if (open === 0) onClosed();
    });
  }
  one.pipe(other);
  other.pipe(one);
  // One that broke before it was joined says nothing any more.
  if (one.destroyed || other.destroyed) close();
  return { close };
}
