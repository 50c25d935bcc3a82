import { AppendEventsRequest, AuditEvent } from '@postern/api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventFields, EventHead, fieldsText, type SpoolEvent } from '#spool/event.ts';
import { draftFrame, findFrame, type FrameKind, writeFrame } from '#spool/frame.ts';
import { packEvents } from '#spool/pack-events.ts';

const anyText = fc.string({ unit: 'grapheme', maxLength: 300 });
const anyFields = fc.dictionary(anyText, fc.jsonValue({ maxDepth: 4 }));
const anyEvent: fc.Arbitrary<SpoolEvent> = fc
  .record(
    {
      head: fc.record({ kind: anyText, user: anyText, resource: anyText, sessionId: anyText }).map((texts) => new EventHead(texts)),
      id: fc.oneof(fc.uuid(), anyText),
      code: anyText,
      timeMs: fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 127, 128, 2 ** 31, 2 ** 32, 253_402_300_799_999)),
      success: fc.boolean(),
      fields: fc
        .tuple(anyFields, anyFields, fc.boolean())
        .map(([one, other, isPrefix]) => (isPrefix ? EventFields.of(one).asPrefix() : EventFields.of(one)).and(other)),
      phase: fc.record({ phase: fc.constantFrom('intent' as const, 'outcome' as const), requestId: anyText }),
    },
    { requiredKeys: ['head', 'id', 'code', 'timeMs', 'success', 'fields'] },
  )
  .map((event) => event as SpoolEvent);

/** By the generated encoder, which shares nothing with the one under test but the contract. */
function expected(event: SpoolEvent): AuditEvent {
  const { head, id, code, timeMs, success } = event;
  const { kind, user, resource, sessionId } = head;
  return { id, kind, code, timeMs, user, resource, sessionId, success, fieldsJson: Buffer.from(fieldsText(event)) };
}

function frameOf(event: SpoolEvent, kind: FrameKind = 'event'): Buffer {
  const draft = draftFrame(kind, event);
  const frame = Buffer.alloc(draft.bytes);
  expect(writeFrame(frame, 0, draft)).toBe(draft.bytes);
  return frame;
}

describe('a frame', () => {
  it('holds the event byte for byte as the generated encoder writes it', () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        const frame = frameOf(event);
        const found = findFrame(frame, 0);
        if (typeof found === 'string') throw new Error(found);
        expect(found).toMatchObject({ kind: 'event', end: frame.length });
        expect(frame.subarray(found.start, found.end).equals(AuditEvent.encode(expected(event)).finish())).toBe(true);
      }),
    );
  });

  it('is never mistaken when it is cut or changed', () => {
    fc.assert(
      fc.property(anyEvent, fc.nat(), fc.integer({ min: 1, max: 255 }), (event, where, flip) => {
        const frame = frameOf(event);
        expect(findFrame(frame.subarray(0, where % frame.length), 0)).toBe('cut');
        const changed = Buffer.from(frame);
        changed[where % frame.length] = (changed[where % frame.length] ?? 0) ^ flip;
        expect(['cut', 'damaged']).toContain(findFrame(changed, 0));
      }),
    );
  });

  it('becomes the message that auth decodes, without the carried ones, as far as it is whole', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ event: anyEvent, isCarried: fc.boolean() })), fc.nat(), (all, torn) => {
        const frames = all.map(({ event, isCarried }) => frameOf(event, isCarried ? 'carried' : 'event'));
        const whole = Buffer.concat(frames);
        const last = frameOf({ ...(all[0]?.event ?? never), code: 'the last' });
        const { count, message, end, stopped } = packEvents(Buffer.concat([whole, last.subarray(0, 1 + (torn % (last.length - 1)))]), 1000);
        const events = all.filter(({ isCarried }) => !isCarried).map(({ event }) => expected(event));
        expect({ count, end, stopped }).toEqual({ count: events.length, end: whole.length, stopped: 'cut' });
        expect(message.equals(AppendEventsRequest.encode({ events }).finish())).toBe(true);
      }),
    );
  });

  it('is packed no more often than is asked, and never behind damage', () => {
    const frames = ['a', 'b', 'c'].map((code) => frameOf({ ...never, code }));
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = frames;
    expect(packEvents(Buffer.concat(frames), 2)).toMatchObject({ count: 2, end: first.length + second.length, stopped: 'enough' });
    const damaged = Buffer.concat(frames);
    damaged[first.length + 12] = 0xff;
    expect(packEvents(damaged, 1000)).toMatchObject({ count: 1, end: first.length, stopped: 'damaged' });
  });
});

const never: SpoolEvent = {
  head: new EventHead({ kind: 'x', user: '', resource: '', sessionId: '' }),
  id: 'id',
  code: '',
  timeMs: 0,
  success: false,
  fields: EventFields.of({}),
};

describe('the fields of an event', () => {
  it('are the JSON of what was put together, whatever it says', () => {
    fc.assert(
      fc.property(anyFields, anyFields, anyText, (one, other, requestId) => {
        const fields = EventFields.of(one).asPrefix().and(EventFields.of(other).asPrefix());
        const text = fieldsText({ fields, phase: { phase: 'intent', requestId } });
        const plain = JSON.parse(JSON.stringify({ ...one, ...other })) as object;
        expect(JSON.parse(text)).toEqual({ ...plain, request_id: requestId, phase: 'intent' });
        expect(fields.fault).toBeUndefined();
      }),
    );
  });

  it('are none where nothing is said', () => {
    expect(fieldsText({ fields: EventFields.of({}).and({}) })).toBe('');
    expect(fieldsText({ fields: EventFields.of({}).asPrefix().and({}) })).toBe('');
    expect(JSON.parse(fieldsText({ fields: EventFields.of({}).and({ a: 1 }).and({}) }))).toEqual({ a: 1 });
  });

  it('keep what is wrong with any part of them', () => {
    expect(EventFields.of({ a: 1 }).and({ b: 1n }).and({ c: 1 }).fault).toMatchObject({ code: 'bad_request' });
  });
});
