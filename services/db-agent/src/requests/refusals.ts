import type { Outcome, Refused } from '@postern/agent';
import { PosternError } from '@postern/api';
import { CredentialError, type DynamoDbRefusalCode } from '@postern/aws';
import type { WholeFailure } from '@postern/http';
import { BODY_IDLE_MS, BODY_MS } from '#config.ts';
import { tooLarge } from '#sessions/request-shape.ts';

/** A request that does not go on: what the client's SDK is told, and what the log says. */
export interface Refusal {
  readonly code: DynamoDbRefusalCode;
  /** Shown by the SDK as it stands. */
  readonly message: string;
  /** The reason alone, for the log. */
  readonly reason: string;
  readonly role?: string;
  /** Instead of the status that belongs to the code. */
  readonly status?: number;
  readonly close?: boolean;
  readonly retryAfterMs?: number;
}

export interface Who {
  readonly user: string;
  readonly resource: string;
  readonly principal: string;
}

export function refusedByVerdict(who: Who, operation: string, verdict: Refused): Refusal {
  const code =
    verdict.cause === 'expired'
      ? 'ExpiredTokenException'
      : verdict.cause === 'stale'
        ? 'ServiceUnavailableException'
        : 'AccessDeniedException';
  const message = verdict.cause === 'expired' ? verdict.reason : notAuthorized(who, operation, verdict.reason);
  return { code, message, reason: verdict.reason, ...(verdict.role === undefined ? {} : { role: verdict.role }) };
}

/** What was allowed when it was sent, and was cut before its answer began. */
export function refusedOnItsWay(refusal: Refusal, outcome: Outcome): Refusal {
  if (outcome.kind === 'not_sent') return refusal;
  return { ...refusal, message: `${refusal.message}; the request was cut on its way, and AWS may have acted` };
}

export function notAuthorized(who: Who, operation: string, reason: string): string {
  return `User ${who.user} is not authorized to perform dynamodb:${operation} on ${who.resource} as role ${who.principal}: ${reason}`;
}

/** The intent could not be made durable, so nothing may leave for AWS. */
export function refusedByAudit(error: unknown): Refusal {
  // The spool's own words name nothing of the agent's host; what else can go wrong is not worded for a client.
  const reason = error instanceof PosternError ? error.message : 'audit unavailable: this agent cannot record the request';
  return { code: 'ServiceUnavailableException', message: `the request was not sent: ${reason}`, reason };
}

export function refusedByCredentials(who: Who, operation: string, error: unknown): Refusal {
  if (!(error instanceof CredentialError))
    return {
      code: 'ServiceUnavailableException',
      message: `role ${who.principal} could not be assumed`,
      reason: error instanceof Error ? error.message : String(error),
    };
  const reason = error.detail === undefined ? error.message : `${error.message} (${error.detail})`;
  if (error.code === 'denied') return { code: 'AccessDeniedException', message: notAuthorized(who, operation, error.message), reason };
  if (error.code === 'expired') return { code: 'ExpiredTokenException', message: error.message, reason };
  return {
    code: 'ServiceUnavailableException',
    message: error.message,
    reason,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  };
}

/** Nothing of AWS's answer has reached the client; its SDK decides whether to try again. */
export function answerLost(outcome: Exclude<Outcome, { kind: 'answered' }>): Refusal {
  const message =
    outcome.kind === 'not_sent'
      ? `AWS could not be reached: ${outcome.reason}`
      : `the answer of AWS was lost, and it may have acted: ${outcome.reason}`;
  return { code: 'ServiceUnavailableException', message, reason: outcome.reason };
}

export function unknownTarget(target: string): Refusal {
  const reason = `X-Amz-Target ${JSON.stringify(target.slice(0, 100))} is not an operation of DynamoDB or DynamoDB Streams`;
  return { code: 'ValidationException', message: reason, reason };
}

export function bodyRefusal(failed: WholeFailure): Refusal {
  if (failed === 'too_large') {
    const { code, reason } = tooLarge();
    return { code, message: reason, reason };
  }
  if (failed === 'no_room') return busy('the agent holds as many request bodies as it may: try again');
  const reason = bodyFaults[failed];
  // What came too slowly may come in time when it is sent again, and SDKs do so by this code.
  const code = failed === 'too_fine' || failed === 'malformed' ? 'ValidationException' : 'RequestTimeoutException';
  return { code, message: reason, reason, close: true };
}

const bodyFaults: Record<Exclude<WholeFailure, 'too_large' | 'no_room'>, string> = {
  too_fine: 'the request body comes in pieces too small to be read: send it in larger chunks',
  malformed: 'the request body is not valid HTTP/1.1',
  idle: `the request body stopped for ${BODY_IDLE_MS / 1000} s`,
  late: `the request body did not arrive within ${BODY_MS / 1000} s`,
  client_gone: 'the client left before its request was complete',
};

export function busy(reason: string): Refusal {
  return { code: 'ServiceUnavailableException', message: reason, reason, retryAfterMs: 1000 };
}

export function unsignable(error: unknown): Refusal {
  const reason = error instanceof Error ? error.message : String(error);
  return { code: 'ValidationException', message: `the request cannot be signed: ${reason}`, reason };
}

/** Its answer is a host that an SDK would then call directly, past every decision made here. */
export function noDiscovery(): Refusal {
  const reason = 'DescribeEndpoints is not passed on: turn endpoint discovery off, requests go through this port';
  return { code: 'AccessDeniedException', message: reason, reason };
}
