import { event, streamEvents } from '#event-stream/stream-events.ts';
import type { Call, Service } from '#exchange/service.ts';
import { otherService } from '#other/other-service.ts';
import type { Answer } from '#protocols/aws-error.ts';

const lines = 8;

/** CloudWatch Logs: a tail that says some lines and ends, as AWS ends one after three hours; the rest is answered empty. */
export const logsService: Service = {
  ...otherService,
  answer: (call) => (call.operation === 'StartLiveTail' ? tail(call) : otherService.answer(call)),
};

/** Source: CloudWatch Logs API reference, StartLiveTail; in JSON 1.1 a stream begins with the members that are not in it. */
function tail({ nowMs, requestId, mode }: Call): Answer {
  const update = (line: number) =>
    event('sessionUpdate', {
      sessionMetadata: { sampled: false },
      sessionResults: [{ logStreamName: 'emulator', message: `line ${line}`, timestamp: nowMs, ingestionTime: nowMs }],
    });
  const messages = [
    event('initial-response', {}, 'application/x-amz-json-1.1'),
    event('sessionStart', { requestId, sessionId: 'tail' }),
    ...Array.from({ length: lines }, (_, line) => update(line)),
  ];
  return {
    status: 200,
    headers: { 'content-type': 'application/vnd.amazon.eventstream' },
    body: streamEvents(messages, mode?.messageDelayMs),
  };
}
