import type { BodyTransform, PartialRoom } from '#sigv4/chunks/body-transform.ts';
import { CheckedChunks } from '#sigv4/chunks/checked-chunks.ts';
import { framedLength } from '#sigv4/chunks/framed-length.ts';
import { HashedBody, UnsignedBody } from '#sigv4/chunks/plain-bodies.ts';
import { ResignedChunks } from '#sigv4/chunks/resigned-chunks.ts';
import { announcedTrailers } from '#sigv4/chunks/trailers.ts';
import { ResignedEvents } from '#sigv4/events/resigned-events.ts';
import type { SignatureChain } from '#sigv4/signature-chain.ts';
import { refuse, type SignatureRefusal } from '#sigv4/signature-refusal.ts';
import type { SigningKeys } from '#sigv4/signing-keys.ts';
import { groupHeaders, type GroupedHeaders, singleValue } from '#sigv4/verify/grouped-headers.ts';
import type { VerifiedRequest } from '#sigv4/verify-request.ts';

/** How a verified request's body goes on to AWS. */
export type BodyPlan = {
  /** for SignInput.payload: the payload line, always the client's */
  readonly payload: string;
  /** for SignInput.bodyLength: what Content-Length is to say, `chunked` for Transfer-Encoding: chunked; absent where there is no body */
  readonly bodyLength?: number | 'chunked';
  /** Messages or fragments one by one, each of which may be acted on as it comes; between two of them a client may be silent for as long as AWS has it. */
  readonly isConversation?: boolean;
  /** `signed` is SignedRequest.chain, and of no account but for signed chunks and events; `send` is called from within write and end. */
  readonly start: (options: BodyStart) => BodyTransform;
};

export type BodyStart = {
  readonly signed?: SignatureChain;
  readonly send: (bytes: Buffer) => void;
  readonly room: PartialRoom;
};

export type PlanBodyInput = {
  readonly verified: VerifiedRequest;
  /** flat raw headers as they came */
  readonly headers: readonly string[];
  readonly keys: SigningKeys;
  /** the clock, for event streams, whose messages carry a time each */
  readonly now: () => number;
};

export function planBody(input: PlanBodyInput): BodyPlan | SignatureRefusal {
  const { payload, payloadLine, chain } = input.verified;
  const headers = groupHeaders(input.headers);
  const asReceived = { payload: payloadLine, ...receivedLength(headers) };
  switch (payload.kind) {
    case 'hash':
      return { ...asReceived, start: ({ send }) => new HashedBody({ sha256: payload.sha256, send }) };
    case 'unsigned':
      return {
        ...asReceived,
        ...(payload.isEndless === true ? { isConversation: true } : {}),
        start: ({ send }) => new UnsignedBody({ send }),
      };
    case 'events': {
      const { keys, now } = input;
      // messages need not be as long as the client's, and a stream has no length
      return {
        payload: payloadLine,
        bodyLength: 'chunked',
        isConversation: true,
        start: ({ signed, send, room }) => new ResignedEvents({ received: chain, signed: demand(signed), keys, now, send, room }),
      };
    }
    default:
  }
  const contentLength = decodedLength(headers);
  if (contentLength === undefined)
    return refuse('bad_request', 'a body in aws-chunked coding needs one valid x-amz-decoded-content-length');
  const trailers = announcedTrailers(singleValue(headers, 'x-amz-trailer'));
  if (payload.kind === 'unsigned_trailer')
    return { ...asReceived, start: ({ send }) => new CheckedChunks({ contentLength, trailers, send }) };
  const { algorithm, hasTrailer } = payload;
  const framed = { contentLength, hasTrailer, trailers };
  return {
    payload: payloadLine,
    bodyLength: framedLength({ algorithm, ...framed }),
    start: ({ signed, send }) => new ResignedChunks({ received: chain, signed: demand(signed), ...framed, send }),
  };
}

function receivedLength(headers: GroupedHeaders): { readonly bodyLength?: number | 'chunked' } {
  if (headers.has('transfer-encoding')) return { bodyLength: 'chunked' };
  const length = wholeNumber(singleValue(headers, 'content-length'));
  return length === undefined ? {} : { bodyLength: length };
}

/** As S3 has it, and not by Content-Encoding, in which some clients do not name the coding. */
function decodedLength(headers: GroupedHeaders): number | undefined {
  return wholeNumber(singleValue(headers, 'x-amz-decoded-content-length'));
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : undefined;
}

function demand(signed: SignatureChain | undefined): SignatureChain {
  if (signed === undefined) throw new Error('a body in signed chunks or messages needs the chain of the new signature');
  return signed;
}
