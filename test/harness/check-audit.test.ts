import { describe, expect, it } from 'vitest';
import { type AuditLine, checkAudit } from '#check-audit.ts';

/** A checker that finds nothing proves nothing: each thing it is there to find is done to a log that is whole, once. */
type Line = { -readonly [K in keyof AuditLine]?: AuditLine[K] };
interface AtAws {
  requestId: string;
  operation: string;
  time: string;
  host?: string;
  service?: string | undefined;
  verified?: boolean;
  refusal?: string;
  identity?: { arn: string; accessKeyId?: string; sessionName?: string };
  parameters?: Readonly<Record<string, string>>;
}
interface World {
  lines: Line[];
  atAws: AtAws[];
  verify: string;
}

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const REQUEST = 'db.session.dynamodb.request';

/** A session that ends at 60 s, with a request that was answered and one whose answer nobody saw. */
function whole(): World {
  const line = (uid: string, second: number, rest: Line): Line => ({
    uid,
    time: at(second),
    received: at(second),
    server_id: 's',
    ...rest,
  });
  const request = (uid: string, second: number, rest: Line) => line(uid, second, { event: REQUEST, sid: 'session', ...rest });
  return {
    lines: [
      line('1', 0, { event: 'cert.create', sid: 'session', expires: at(60) }),
      request('2', 10, { phase: 'intent', request_id: 'a', operation: 'GetItem' }),
      request('3', 11, { phase: 'outcome', request_id: 'a', outcome: 'answered', aws_request_id: 'AWS-A' }),
      request('4', 20, { phase: 'intent', request_id: 'b', operation: 'PutItem' }),
      request('5', 21, { phase: 'outcome', request_id: 'b', outcome: 'unknown' }),
      line('6', 60, { event: 'db.session.end', sid: 'session' }),
    ],
    atAws: [
      { requestId: 'AWS-A', operation: 'GetItem', time: at(10) },
      { requestId: 'AWS-B', operation: 'PutItem', time: at(20) },
    ],
    verify: 'the log is intact',
  };
}

/** Of an application: an upload, one that was cut, a sign-in to the console, and the roles that the agent assumed for them. */
function application(): World {
  const base = { server_id: 's', sid: 'session', user: 'alice' };
  const told = (uid: string, second: number, rest: Line): Line => ({ uid, time: at(second), received: at(second), ...base, ...rest });
  const upload = { event: 'app.session.request', operation: 'PutObject' };
  const console = { event: 'app.session.console' };
  const s3 = { service: 's3', operation: 'PutObject' };
  const identity = { arn: 'arn:aws:sts::123456789012:assumed-role/R/alice', accessKeyId: 'ASIA', sessionName: 'alice' };
  const assumes = (RoleSessionName: string) => ({ service: 'sts', operation: 'AssumeRole', parameters: { RoleSessionName } });
  return {
    lines: [
      told('1', 10, { ...upload, phase: 'intent', request_id: 'a' }),
      told('2', 12, { ...upload, phase: 'outcome', request_id: 'a', outcome: 'answered', aws_request_id: '0123456789ABCDEF' }),
      told('3', 20, { ...upload, phase: 'intent', request_id: 'b' }),
      told('4', 21, { ...upload, phase: 'outcome', request_id: 'b', outcome: 'not_sent' }),
      told('5', 30, { ...console, phase: 'intent', request_id: 'c' }),
      told('6', 31, { ...console, phase: 'outcome', request_id: 'c', outcome: 'answered', aws_access_key_id: 'ASIA' }),
    ],
    atAws: [
      { requestId: 'PROBE', operation: '', time: at(1), host: '127.0.0.1:4566', service: undefined, verified: false },
      { requestId: 'ROLE', time: at(11), identity: { arn: 'arn:aws:iam::123456789012:user/agent' }, ...assumes('alice') },
      { requestId: '0123456789ABCDEFGHIJ', time: at(11), identity, ...s3 },
      { requestId: 'CUT', time: at(21), identity, verified: false, refusal: 'IncompleteBody', ...s3 },
      { requestId: 'TOKEN', time: at(30), service: 'signin', operation: 'getSigninToken', identity },
    ],
    verify: 'the log is intact',
  };
}

function check(world: World) {
  const cluster = {
    admin: (line: string) => Promise.resolve(line === 'tctl audit verify' ? world.verify : JSON.stringify(world.lines)),
    rawLog: () => world.atAws.map((seen) => ({ service: 'dynamodb', host: '', bodyBytes: 0, verified: true, ...seen })) as never,
  };
  return checkAudit(cluster, { withinMs: 0 });
}
const line = (world: World, uid: string): Line => {
  const found = world.lines.find((each) => each.uid === uid);
  if (found === undefined) throw new Error(`no line ${uid}`);
  return found;
};

describe('the check of a log after a fault', () => {
  it('finds nothing in a log that is whole, and counts', async () => {
    expect(await check(whole())).toEqual({ intents: 2, unknown: 1 });
  });

  it('lets a session be seen 5 s after its certificate', async () => {
    const world = whole();
    for (const seen of world.atAws.filter(({ requestId }) => requestId === 'AWS-A')) seen.time = at(65);
    Object.assign(line(world, '6'), { time: at(65), received: at(65) });
    await check(world);
  });

  it.each<readonly [string, (world: World) => unknown, RegExp]>([
    [
      'a request at AWS that is in no line',
      ({ atAws }) => atAws.push({ requestId: 'AWS-C', operation: 'DeleteTable', time: at(30) }),
      /DeleteTable AWS-C reached AWS at .* and is not in the log/,
    ],
    [
      'a write that AWS got twice for one intent',
      ({ atAws }) => atAws.push({ requestId: 'AWS-C', operation: 'PutItem', time: at(21) }),
      /PutItem AWS-C reached AWS at .* and is not in the log/,
    ],
    [
      'an unknown outcome that stands for another operation',
      (world) => (line(world, '4').operation = 'GetItem'),
      /PutItem AWS-B reached AWS at .* and is not in the log/,
    ],
    ['an answered outcome of another operation', (world) => (line(world, '2').operation = 'Query'), /GetItem/],
    [
      'an intent without an outcome',
      (world) => (world.lines = world.lines.filter(({ uid }) => uid !== '5')),
      /request b of .* has an intent and no outcome/,
    ],
    ['an outcome without an intent', (world) => (world.lines = world.lines.filter(({ uid }) => uid !== '4')), /./],
    ['an event that is there twice', (world) => world.lines.push({ ...line(world, '1') }), /'1'|"1"/],
    ['an intent that is there twice under two ids', (world) => world.lines.push({ ...line(world, '2'), uid: '7' }), /'a'|"a"/],
    ['an outcome that is there twice under two ids', (world) => world.lines.push({ ...line(world, '3'), uid: '7' }), /'a'|"a"/],
    [
      'a session that AWS saw at work 5.001 s after its certificate',
      ({ atAws }) => {
        for (const seen of atAws.filter(({ requestId }) => requestId === 'AWS-A'))
          seen.time = new Date(Date.parse(at(65)) + 1).toISOString();
      },
      /GetItem AWS-A of session session was seen 5001 ms after its certificate had expired/,
    ],
    [
      'a session that was ended 6 s after its certificate',
      (world) => Object.assign(line(world, '6'), { time: at(66), received: at(66) }),
      /the end of session session was seen 6000 ms after/,
    ],
    ['a chain that is broken', (world) => (world.verify = 'record 3 does not follow from record 2'), /intact/],
    ['a log that says nothing', (world) => (world.lines = []), /the log was never read/],
  ])('finds %s', async (_what, sabotage, found) => {
    const world = whole();
    sabotage(world);
    await expect(check(world)).rejects.toThrow(found);
  });

  it('finds nothing in a log of an application that is whole', async () => {
    expect(await check(application())).toEqual({ intents: 3, unknown: 0 });
  });

  it.each<readonly [string, (world: World) => unknown, RegExp]>([
    [
      'an upload that was said not to be sent and is whole at AWS',
      ({ atAws }) => {
        for (const seen of atAws.filter(({ requestId }) => requestId === 'CUT'))
          Object.assign(seen, { verified: true, refusal: undefined });
      },
      /PutObject CUT reached AWS at .* and is not in the log/,
    ],
    [
      'an upload of which the log has nothing',
      (world) => (world.lines = world.lines.filter(({ uid = '' }) => uid > '2')),
      /PutObject 0123456789ABCDEFGHIJ/,
    ],
    [
      'a sign-in that nobody asked for',
      ({ atAws }) => Object.assign(atAws[4] ?? {}, { identity: { arn: '', accessKeyId: 'ASIB' } }),
      /getSigninToken TOKEN/,
    ],
    [
      'a sign-in without an end',
      (world) => (world.lines = world.lines.filter(({ uid }) => uid !== '6')),
      /request c of .* has an intent and no outcome/,
    ],
    [
      'a role assumed for somebody who asked for nothing',
      ({ atAws }) => Object.assign(atAws[1] ?? {}, { parameters: { RoleSessionName: 'bob' } }),
      /AssumeRole ROLE/,
    ],
    ['a role assumed before it was asked for', ({ atAws }) => Object.assign(atAws[1] ?? {}, { time: at(9) }), /AssumeRole ROLE/],
    [
      'a request to a host that is none of AWS’s',
      ({ atAws }) =>
        atAws.push({ requestId: 'EVIL', operation: 'GetItem', time: at(40), host: 'evil.example', service: undefined, verified: false }),
      /GetItem EVIL/,
    ],
  ])('finds %s', async (_what, sabotage, found) => {
    const world = application();
    sabotage(world);
    await expect(check(world)).rejects.toThrow(found);
  });
});
