import { createServer, type Server } from 'node:http';
import type { Cluster } from '@postern/test-harness/cluster.ts';
import { ACCOUNT, KEY_ID, KEY_SECRET, ROLE } from '@postern/test-harness/cluster.ts';
import { AGENT_ITSELF } from '@postern/test-harness/tie-to-aws.ts';
import { freePort } from '@postern/test-harness/processes.ts';

const TOKEN = 'the token of this task';

/**
 * Where an agent in a container asks for its credentials, as ECS and EKS have it: a server on loopback that a fault takes away. What it
 * gives out are real keys of "AWS", with an end that is earlier than their own.
 */
export class KeySource {
  readonly #keys: { readonly AccessKeyId: string; readonly SecretAccessKey: string; readonly Token: string };
  readonly #port: number;
  readonly #lifeMs: number;
  #server: Server | undefined;

  private constructor(keys: Record<'id' | 'secret' | 'token', string>, port: number, lifeMs: number) {
    this.#keys = { AccessKeyId: keys.id, SecretAccessKey: keys.secret, Token: keys.token };
    this.#port = port;
    this.#lifeMs = lifeMs;
  }

  /** Not yet there: nobody listens on its port. Each answer is good for `lifeMs`. */
  static async prepare(cluster: Cluster, lifeMs: number): Promise<KeySource> {
    const host = 'sts.us-east-1.amazonaws.com';
    const form = `Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::${ACCOUNT}:role/${ROLE}&RoleSessionName=${AGENT_ITSELF}`;
    const answer = await cluster.mustSh(
      `curl -sS --aws-sigv4 aws:amz:us-east-1:sts --user '${KEY_ID}:${KEY_SECRET}' --connect-to ${host}:80:127.0.0.1:${cluster.emulatorPort} --data '${form}' http://${host}/`,
    );
    const part = (name: string) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(answer)?.[1] ?? '';
    const keys = { id: part('AccessKeyId'), secret: part('SecretAccessKey'), token: part('SessionToken') };
    if (Object.values(keys).includes('')) throw new Error(`STS gave no keys: ${answer}`);
    return new KeySource(keys, await freePort(), lifeMs);
  }

  /** What the agent's environment says of it, and no keys of its own beside. */
  get env(): NodeJS.ProcessEnv {
    return {
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${this.#port}/keys`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: TOKEN,
    };
  }

  async start(): Promise<void> {
    const server = createServer((asked, answer) => {
      answer.statusCode = asked.headers.authorization === TOKEN ? 200 : 403;
      answer.end(JSON.stringify({ ...this.#keys, Expiration: new Date(Date.now() + this.#lifeMs).toISOString() }));
    });
    await new Promise<void>((resolve) => {
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  }
}
