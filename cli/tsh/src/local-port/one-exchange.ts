import type { AnswerBoundaries } from '#local-port/answer-boundaries.ts';

const CONTENT_LENGTH = /\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?=\r\n|$)/gi;
const END_OF_HEAD_BYTES = 4;

/**
 * Knows whether a connection has carried one request and its answer, both whole and nothing besides: then its stream is as good as
 * new. What it cannot measure it takes for more.
 */
export class OneExchange {
  readonly #answers: AnswerBoundaries;
  readonly #requestBytes: number;
  #sentBytes = 0;

  /** `head` is that of the first request, up to the empty line. */
  constructor(head: string, answers: AnswerBoundaries) {
    this.#answers = answers;
    this.#requestBytes = requestBytes(head);
  }

  sent(bytes: number): void {
    this.#sentBytes += bytes;
  }

  get isOver(): boolean {
    return this.#sentBytes === this.#requestBytes && this.#answers.between && this.#answers.finals === 1 && !this.#answers.announcedClose;
  }
}

/** NaN, which equals nothing, where the end of the request cannot be known from its head, or it ends the connection. */
function requestBytes(head: string): number {
  const lengths = [...head.matchAll(CONTENT_LENGTH)];
  if (lengths.length > 1 || /\r\n(?:transfer-encoding|upgrade|expect):/i.test(head) || /\r\nconnection:[^\r\n]*close/i.test(head))
    return Number.NaN;
  return head.length + END_OF_HEAD_BYTES + Number(lengths[0]?.[1] ?? 0);
}
