import type { BodySink } from '#exchange/read-body.ts';
import type { Answer, AwsError } from '#protocols/aws-error.ts';

/** An answer that is made while the request still comes: both ends are open. */
export interface Conversation {
  readonly answer: Answer;
  readonly sink: BodySink;
  /** All of the request has come. */
  end(): void;
  /** It was cut off, or is not what it has to be; the status of the answer has long been sent. */
  fail(error: AwsError): void;
}

/** What is still to be said, piece by piece, until it is over. */
export class Outbox {
  readonly #said: Buffer[] = [];
  #wake: () => void = () => undefined;
  #isOver = false;

  say(bytes: Buffer): void {
    if (this.#isOver) return;
    this.#said.push(bytes);
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *pieces(): AsyncGenerator<Buffer> {
    for (;;) {
      const next = this.#said.shift();
      if (next !== undefined) yield next;
      else if (this.#isOver) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
