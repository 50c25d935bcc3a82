import { type RequestHead, splitTarget } from '#exchange/request-head.ts';
import { type Conversation, Outbox } from '#exchange/conversation.ts';
import type { Service } from '#exchange/service.ts';
import { AwsError } from '#protocols/aws-error.ts';

/**
 * The host of one stream of video: what comes is acknowledged as it comes, for as long as it comes.
 * Source: https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/API_dataplane_PutMedia.html
 */
export const kinesisVideoService: Service = {
  protocol: () => ({ kind: 'rest-json' }),
  operationOf: (head) => operationAt(head),
  converse: ({ head }) => (operationAt(head) === 'PutMedia' ? acknowledged() : undefined),
  answer: () => {
    throw new AwsError('ResourceNotFoundException', 'there is no such operation at the host of a stream', 404);
  },
};

function operationAt(head: RequestHead): string {
  return head.method === 'POST' && splitTarget(head).path === '/putMedia' ? 'PutMedia' : '';
}

function acknowledged(): Conversation {
  const outbox = new Outbox();
  let bytes = 0;
  const tell = (EventType: string) => outbox.say(Buffer.from(`${JSON.stringify({ EventType, FragmentNumber: String(bytes) })}\n`));
  return {
    answer: { status: 200, headers: { 'content-type': 'application/json' }, body: outbox.pieces() },
    sink: {
      write: (data) => {
        bytes += data.length;
        tell('RECEIVED');
      },
    },
    end: () => {
      tell('PERSISTED');
      outbox.end();
    },
    fail: () => outbox.end(),
  };
}
