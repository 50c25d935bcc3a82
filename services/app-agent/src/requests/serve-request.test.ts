import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LOCAL_KEY, type LocalAgent, ROLE, sessionOf, startLocalAgent } from '#testing/local-agent.ts';
import { type Call, signedCall } from '#testing/signed-call.ts';

let agent: LocalAgent;
beforeEach(async () => {
  agent = await startLocalAgent();
  await agent.emulator.seedTable('us-east-1', { name: 'pets', items: [{ id: { S: '1' } }] });
});
afterEach(() => agent.stop());

const dynamodb = (operation: string, body: unknown = {}, more: Partial<Call> = {}): Call => ({
  service: 'dynamodb',
  ...more,
  headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `DynamoDB_20120810.${operation}`, ...more.headers },
  body: JSON.stringify(body),
});
const atAws = () => agent.emulator.log().filter(({ operation }) => operation !== 'AssumeRole');

describe('a request that is allowed', () => {
  it('reaches AWS as the role, signed for the true host and region, and its answer comes back as it is', async () => {
    const answer = await signedCall(agent, dynamodb('ListTables'));
    expect(answer.status, answer.text).toBe(200);
    expect(JSON.parse(answer.text)).toEqual({ TableNames: ['pets'] });
    const [seen] = atAws();
    expect(seen?.headers.join('\n')).not.toContain(LOCAL_KEY.accessKeyId);
    expect(agent.events.map(({ code, fields }) => [code, fields['phase']])).toEqual([
      ['T2013I', 'intent'],
      ['T2013I', 'outcome'],
    ]);
    expect(agent.events[0]?.fields).toMatchObject({
      app_name: 'aws',
      aws_role_arn: ROLE,
      aws_service: 'dynamodb',
      aws_region: 'us-east-1',
      aws_host: 'dynamodb.us-east-1.amazonaws.com',
      operation: 'ListTables',
    });
    expect(sessionOf).toBeDefined();
  });
});
