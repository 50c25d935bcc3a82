import { type EventMessage, decodeMessage, encodeMessage } from '#event-stream/message.ts';
import { type Conversation, Outbox } from '#exchange/conversation.ts';
import type { BodySink } from '#exchange/read-body.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';

const maxMessageBytes = 16 * 1024 * 1024;

/** Messages both ways: what comes is verified and taken one by one, and each may be answered at once. */
export class EventConversation implements Conversation {
  readonly answer: Answer;
  readonly sink: BodySink;
  readonly #outbox = new Outbox();

  /** `reply` is given each message without the one around it that is signed. Throws AwsError. */
  constructor(reply: (message: EventMessage) => readonly EventMessage[]) {
    this.answer = { status: 200, headers: { 'content-type': 'application/vnd.amazon.eventstream' }, body: this.#outbox.pieces() };
    this.sink = {
      write: (data) => {
        const found = decodeMessage(data, maxMessageBytes);
        if (found?.length !== data.length) throw new AwsError('SerializationException', 'a signed message wraps no message');
        for (const message of reply(found.message)) this.#outbox.say(encodeMessage(message));
      },
    };
  }

  end(): void {
    this.#outbox.end();
  }

  /** As AWS ends a stream: by a last message. */
  fail(error: AwsError): void {
    const headers = { ':message-type': 'exception', ':exception-type': error.code, ':content-type': 'application/json' };
    this.#outbox.say(encodeMessage({ headers, payload: Buffer.from(JSON.stringify({ message: error.message })) }));
    this.end();
  }
}
