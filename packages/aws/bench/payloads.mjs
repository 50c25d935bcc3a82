// node packages/aws/bench/payloads.mjs: microseconds of CPU for a signature of each kind, and MiB/s of CPU for a body in each payload mode
// (verified, signed anew, thrown away), by hand, never in the tests.
import { createHash, createHmac, sign } from 'node:crypto';
import { planBody, presignRequest, SigningKeys, signRequest, verifyRequest } from '../src/index.ts';
import { writeSignedMessage, dateHeader } from '../src/sigv4/events/event-message.ts';

const throwAway = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'throw-away' };
const role = { accessKeyId: 'ASIAIOSFODNN7EXAMPLE', secretAccessKey: 'role', sessionToken: 'FwoGZXIvYXdzE'.padEnd(1100, 'Qx7/') };
const keys = new SigningKeys();
const nowMs = Date.now();
const scope = { nowMs, region: 'us-east-1', service: 's3' };
const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const host = 'bucket.s3.us-east-1.amazonaws.com';
const request = { method: 'PUT', path: '/key', query: 'x-id=PutObject', nowMs };
const verifier = { keys, credentialsOf: () => throwAway };
const keyOf = (credentials, isEcdsa) =>
  isEcdsa ? keys.forRegionSet(credentials, { nowMs, regionSet: '*', service: 's3' }) : keys.for(credentials, scope);

function signedBy(credentials, { mode, headers = [], isEcdsa = false }) {
  const given = ['Content-Type', 'binary/octet-stream', 'x-amz-content-sha256', mode, ...headers];
  return signRequest({ ...request, host, headers: given, payload: mode }, keyOf(credentials, isEcdsa));
}

function verified(signed) {
  const result = verifyRequest({ ...request, headers: signed.headers }, verifier);
  if ('refusal' in result || 'awaitsBody' in result) throw new Error(result.refusal);
  return result;
}

function cpuUs(act, times) {
  const rounds = [];
  for (let round = 0; round < 7; round += 1) {
    const before = process.cpuUsage();
    for (let i = 0; i < times; i += 1) act();
    const { user, system } = process.cpuUsage(before);
    rounds.push((user + system) / times);
  }
  return rounds.sort((a, b) => a - b)[3];
}

for (const isEcdsa of [false, true]) {
  const options = { mode: 'UNSIGNED-PAYLOAD', isEcdsa };
  const times = isEcdsa ? 1000 : 10_000;
  const name = isEcdsa ? 'SigV4a' : 'SigV4';
  const signed = signedBy(throwAway, options);
  const presigned = () =>
    presignRequest(
      { ...request, host, headers: [], signedHeaders: ['host'], payload: options.mode, endsAtMs: [nowMs + 60_000] },
      keyOf(throwAway, isEcdsa),
    );
  const { query } = presigned();
  const inQuery = { ...request, query, headers: ['host', host] };
  if ('refusal' in verifyRequest(inQuery, verifier)) throw new Error('the bench signs something that does not verify');
  for (const [act, run] of Object.entries({
    sign: () => signedBy(role, options),
    verify: () => verified(signed),
    presign: presigned,
    'verify a query': () => verifyRequest(inQuery, verifier),
  }))
    console.log(`${name} ${act}: ${cpuUs(run, times).toFixed(1)} µs`);
}

const MIB = 1024 * 1024;
const content = Buffer.alloc(64 * MIB, 'content');

function chunked(chain, frameBytes, isEcdsa) {
  const { algorithm } = chain.key;
  const parts = [];
  let previous = chain.seed;
  for (let at = 0; ; at += frameBytes) {
    const frame = content.subarray(at, at + frameBytes);
    const text = [`${algorithm}-PAYLOAD`, chain.amzDate, chain.key.scope, previous, sha256(''), sha256(frame)].join('\n');
    previous = isEcdsa
      ? sign('sha256', Buffer.from(text), chain.key.privateKey).toString('hex')
      : createHmac('sha256', chain.key.hmacKey).update(text).digest('hex');
    parts.push(
      Buffer.from(`${frame.length.toString(16)};chunk-signature=${isEcdsa ? previous.padEnd(144, '*') : previous}\r\n`),
      frame,
      Buffer.from('\r\n'),
    );
    if (frame.length === 0) return Buffer.concat(parts);
  }
}

function events(chain, messageBytes) {
  const parts = [];
  let previous = chain.seed;
  for (let at = 0; ; at += messageBytes) {
    const payload = content.subarray(at, at + messageBytes);
    const text = ['AWS4-HMAC-SHA256-PAYLOAD', chain.amzDate, chain.key.scope, previous, sha256(dateHeader(secondMs)), sha256(payload)].join(
      '\n',
    );
    previous = createHmac('sha256', chain.key.hmacKey).update(text).digest('hex');
    parts.push(writeSignedMessage({ dateMs: secondMs, signature: previous, payload }));
    if (payload.length === 0) return Buffer.concat(parts);
  }
}

const secondMs = Math.floor(nowMs / 1000) * 1000;
const decoded = ['x-amz-decoded-content-length', String(content.length)];
const trailer = ['x-amz-trailer', 'x-amz-checksum-crc32'];
const hmac = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
const modes = {
  hash: { mode: sha256(content), body: () => content },
  'UNSIGNED-PAYLOAD': { mode: 'UNSIGNED-PAYLOAD', body: () => content },
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': {
    mode: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    headers: [...decoded, ...trailer],
    body: () => Buffer.concat([Buffer.from('4000000\r\n'), content, Buffer.from('\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n')]),
  },
  'signed chunks of 64 KiB': { mode: hmac, headers: decoded, body: (chain) => chunked(chain, 65_536) },
  'signed chunks of 80 KiB': { mode: hmac, headers: decoded, body: (chain) => chunked(chain, 81_920) },
  'signed chunks of 8 KiB': { mode: hmac, headers: decoded, body: (chain) => chunked(chain, 8192) },
  'one signed chunk of 64 MiB': { mode: hmac, headers: decoded, body: (chain) => chunked(chain, content.length) },
  'SigV4a chunks of 64 KiB': {
    mode: 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD',
    isEcdsa: true,
    headers: decoded,
    body: (chain) => chunked(chain, 65_536, true),
  },
  'events of 16 KiB': { mode: 'STREAMING-AWS4-HMAC-SHA256-EVENTS', body: (chain) => events(chain, 16_384) },
};

for (const [name, options] of Object.entries(modes)) {
  const request = verified(signedBy(throwAway, options));
  const plan = planBody({ verified: request, headers: signedBy(throwAway, options).headers, keys, now: () => nowMs });
  const { chain } = signedBy(role, options);
  const wire = options.body(request.chain);
  const us = cpuUs(() => {
    let given = 0;
    const body = plan.start({ signed: chain, send: (bytes) => (given += bytes.length) });
    for (let at = 0; at < wire.length; at += 65_536) {
      const refusal = body.write(wire.subarray(at, at + 65_536));
      if (refusal !== undefined) throw new Error(refusal.refusal);
    }
    const refusal = body.end();
    if (refusal !== undefined || given < content.length) throw new Error(refusal?.refusal ?? 'bytes are missing');
  }, 1);
  console.log(`${name}: ${((content.length / MIB / us) * 1e6).toFixed(0)} MiB/s of CPU`);
}
