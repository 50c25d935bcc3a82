import { Agent, request } from 'node:http';

export interface Answer {
  readonly sentMs: number;
  readonly tookMs: number;
  /** 0 where the connection broke or nothing came in time. */
  readonly status: number;
  readonly body: string;
}

/** Nothing that a fault does may take longer than this to be told; what does is a hang. */
export const HANG_MS = 15_000;

export function getItem(port: number, agent?: Agent): Promise<Answer> {
  return call(port, 'GetItem', { TableName: 'faults', Key: { id: { S: 'one' } } }, agent === undefined ? {} : { agent });
}

export function putItem(port: number, id: string, value: string): Promise<Answer> {
  return call(port, 'PutItem', { TableName: 'faults', Item: { id: { S: id }, value: { S: value } } });
}

/** One request through a local port, on a connection of its own unless an agent keeps one. Never rejects: an error is an answer of status 0, and what it was is its body. */
export function call(
  port: number,
  operation: string,
  input: unknown,
  { agent, withinMs = HANG_MS + 5_000 }: { readonly agent?: Agent; readonly withinMs?: number } = {},
): Promise<Answer> {
  const sentMs = Date.now();
  const body = Buffer.from(JSON.stringify(input));
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `DynamoDB_20120810.${operation}`,
    'content-length': body.length,
  };
  return new Promise((resolve) => {
    const done = (status: number, text: string) => resolve({ sentMs, tookMs: Date.now() - sentMs, status, body: text });
    const sent = request(
      { host: '127.0.0.1', port, method: 'POST', headers: { ...headers, host: `localhost:${port}` }, agent: agent ?? false },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => done(answer.statusCode ?? 0, Buffer.concat(chunks).toString()));
        answer.on('error', (error) => done(0, error.message));
      },
    );
    sent.setTimeout(withinMs, () => sent.destroy(new Error('no answer in time')));
    sent.on('error', (error) => done(0, error.message));
    sent.end(body);
  });
}

/** Requests that fly while faults happen: some keep-alive connections, each with one request after another. */
export class Load {
  readonly answers: Answer[] = [];
  readonly #agent: Agent;
  readonly #workers: Promise<void>[];
  #stopping = false;

  /** GetItem at a port, or what is given. */
  constructor(
    asked: number | ((agent: Agent) => Promise<Answer>),
    { connections = 4, pauseMs = 25 }: { readonly connections?: number; readonly pauseMs?: number } = {},
  ) {
    const ask = typeof asked === 'number' ? (agent: Agent) => getItem(asked, agent) : asked;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
    this.#workers = Array.from({ length: connections }, async () => {
      while (!this.#stopping) {
        this.answers.push(await ask(this.#agent));
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    });
  }

  since(ms: number): readonly Answer[] {
    return this.answers.filter(({ sentMs }) => sentMs >= ms);
  }

  async stop(): Promise<readonly Answer[]> {
    this.#stopping = true;
    await Promise.all(this.#workers);
    this.#agent.destroy();
    return this.answers;
  }
}
