import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import type { Server } from 'node:http';

import type { HeldAnswer } from '#protocols/aws-error.ts';

type DynaliteFactory = (options: Readonly<Record<string, unknown>>) => Server;

const require = createRequire(import.meta.url);

/**
 * dynalite without its store on disk: that one is native code (classic-level), is loaded as soon as dynalite is, and is not
 * needed for tables in memory. What dynalite would load is put in its place beforehand.
 */
function loadDynalite(): DynaliteFactory {
  const dynalite = require.resolve('dynalite');
  const level = createRequire(dynalite).resolve('level');
  if (require.cache[level] === undefined) {
    const Level = (): never => {
      throw new Error('tables are kept in memory only');
    };
    const stand: Partial<NodeJS.Module> = { id: level, filename: level, loaded: true, exports: { Level }, children: [], paths: [] };
    require.cache[level] = stand as NodeJS.Module;
  }
  return require(dynalite) as DynaliteFactory;
}

export interface Table {
  call(operation: string, body: Buffer | string): Promise<HeldAnswer>;
}

/** One namespace of tables in memory, as one account has in one region. The signature is checked before it gets here. */
export function openDynalite({ accountId, region }: { readonly accountId: string; readonly region: string }): Table {
  const server = withEnvironment({ AWS_ACCOUNT_ID: accountId, AWS_REGION: region }, () =>
    loadDynalite()({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 }),
  );
  return { call: (operation, body) => call(server, operation, body) };
}

/** dynalite takes account and region for its ARNs from the environment, once, when it is made. */
function withEnvironment<T>(values: Readonly<Record<string, string>>, make: () => T): T {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, values);
  try {
    return make();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** Hands the request to dynalite's handler without a socket between. It wants a request that looks signed. */
function call(server: Server, operation: string, body: Buffer | string): Promise<HeldAnswer> {
  const request = Object.assign(Readable.from([Buffer.from(body)]), {
    method: 'POST',
    url: '/',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `DynamoDB_20120810.${operation}`,
      authorization: 'AWS4-HMAC-SHA256 Credential=emulator/20000101/r/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
      'x-amz-date': '20000101T000000Z',
    },
  });
  return new Promise((resolve) => {
    const headers: Record<string, string> = {};
    const response = {
      statusCode: 200,
      setHeader: (name: string, value: unknown): void => {
        // Where the message ends is said by whoever sends it; with both, no client may believe the answer.
        if (!/^(?:transfer-encoding|content-length)$/i.test(name)) headers[name.toLowerCase()] = String(value);
      },
      end: (answer: string | undefined): void => resolve({ status: response.statusCode, headers, body: Buffer.from(answer ?? '') }),
    };
    server.emit('request', request, response);
  });
}
