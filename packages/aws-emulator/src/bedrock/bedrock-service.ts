import { EventConversation } from '#event-stream/event-conversation.ts';
import type { Conversation } from '#exchange/conversation.ts';
import { type RequestHead, decoded, splitTarget } from '#exchange/request-head.ts';
import type { Call, HeadCall, Service } from '#exchange/service.ts';
import { event, streamEvents } from '#event-stream/stream-events.ts';
import { decodeMessage, type EventMessage } from '#event-stream/message.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';

const operations: Readonly<Record<string, string>> = {
  invoke: 'InvokeModel',
  'invoke-with-response-stream': 'InvokeModelWithResponseStream',
  'invoke-with-bidirectional-stream': 'InvokeModelWithBidirectionalStream',
  'converse-stream': 'ConverseStream',
};
const eventStream = { status: 200, headers: { 'content-type': 'application/vnd.amazon.eventstream' } };
const maxBodyBytes = 26 * 1024 * 1024;

/** Bedrock's runtime: a model says which it is and what it was told, whole or message by message. */
export const bedrockService: Service = {
  protocol: () => ({ kind: 'rest-json' }),
  operationOf: (head) => pathOf(head)?.operation ?? '',
  maxBodyBytes,
  converse: (call) => converse(call),
  answer: (call) => answer(call),
};

/** A model's id is one segment: `anthropic.claude-v2%3A1`, or an ARN with %3A and %2F. */
function pathOf(head: RequestHead): { readonly operation: string; readonly model: string } | undefined {
  const groups = /^\/model\/(?<model>[^/]+)\/(?<action>[^/]+)$/u.exec(splitTarget(head).path)?.groups;
  const operation = head.method === 'POST' ? operations[groups?.['action'] ?? ''] : undefined;
  return operation === undefined ? undefined : { operation, model: decoded(groups?.['model'] ?? '') };
}

/** Gives each message back as soon as it has come. */
function converse({ head, payload, isHttp2 }: HeadCall): Conversation | undefined {
  if (!isHttp2 || pathOf(head)?.operation !== 'InvokeModelWithBidirectionalStream') return undefined;
  if (payload.kind !== 'events') throw new AwsError('ValidationException', 'the events of a stream must be signed');
  return new EventConversation(({ payload: told }) => [event('chunk', told)]);
}

function answer({ head, body, mode, payload }: Call): Answer {
  const found = pathOf(head);
  if (found === undefined) throw new AwsError('UnknownOperationException', 'there is no such operation', 404);
  const { operation, model } = found;
  if (operation === 'InvokeModelWithBidirectionalStream') {
    if (payload.kind !== 'events') throw new AwsError('ValidationException', 'the events of a stream must be signed');
    return streamed(messagesIn(body), mode?.messageDelayMs);
  }
  if (operation === 'ConverseStream') return { ...eventStream, body: streamEvents(said(body), mode?.messageDelayMs) };
  const told = body.toString('utf8');
  if (operation === 'InvokeModel')
    return { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify({ model, told })) };
  return streamed(
    Array.from({ length: 10 }, (_, index) => Buffer.from(JSON.stringify({ model, told, index }))),
    mode?.messageDelayMs,
  );
}

function streamed(payloads: readonly Buffer[], delayMs: number | undefined): Answer {
  const messages = payloads.map((bytes) => event('chunk', { bytes: bytes.toString('base64') }));
  return { ...eventStream, body: streamEvents(messages, delayMs) };
}

interface Conversed {
  readonly messages?: readonly { readonly content?: readonly { readonly text?: string }[] }[];
}

/** What the last message said, word by word, between the events that a model's answer has around its text. */
function said(body: Buffer): readonly EventMessage[] {
  const { messages } = JSON.parse(body.toString('utf8')) as Conversed;
  const text =
    messages
      ?.at(-1)
      ?.content?.map((part) => part.text ?? '')
      .join('') ?? '';
  const words = text.split(/(?<=\s)/u).map((word) => event('contentBlockDelta', { contentBlockIndex: 0, delta: { text: word } }));
  return [
    event('messageStart', { role: 'assistant' }),
    ...words,
    event('contentBlockStop', { contentBlockIndex: 0 }),
    event('messageStop', { stopReason: 'end_turn' }),
  ];
}

function messagesIn(body: Buffer): readonly Buffer[] {
  const payloads: Buffer[] = [];
  for (let rest = body; rest.length > 0; ) {
    const decoded = decodeMessage(rest, maxBodyBytes);
    if (decoded === undefined) throw new AwsError('SerializationException', 'an event is cut off');
    payloads.push(decoded.message.payload);
    rest = rest.subarray(decoded.length);
  }
  return payloads;
}
