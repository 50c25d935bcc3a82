import { afterEach, describe, expect, it } from 'vitest';
import { allowReader, call, type LocalAgent, sessionOf, startLocalAgent } from '#testing/local-agent.ts';

let agent: LocalAgent;
afterEach(() => agent.stop());
const dynamoAtAws = () => agent.emulator.log().filter(({ operation }) => operation !== 'AssumeRole');

describe('an edit of a role', () => {
  const hung = async () => {
    agent = await startLocalAgent();
    const session = sessionOf({ standing: agent.standing });
    agent.setSession(session);
    agent.emulator.setMode('ListTables', { hangs: true });
    const asked = call(agent, 'ListTables');
    await expect.poll(() => dynamoAtAws().length, { timeout: 5000 }).toBe(1);
    return { session, asked };
  };

  it('answers who waits for DynamoDB with the reason, and the outcome says it too', async () => {
    const { session, asked } = await hung();
    agent.setRoles([{ ...allowReader, deny: { dbUsers: ['Reader'] } }]);
    session.review(2, {});
    const { status, json } = await asked;
    expect([status, json.message]).toEqual([400, expect.stringMatching(/denied by role dev: deny\.db_users Reader; .*may have acted/)]);
    const outcome = agent.events.findLast(({ fields }) => fields['phase'] === 'outcome');
    expect(outcome?.fields).toMatchObject({ outcome: 'unknown', error: 'denied by role dev: deny.db_users Reader' });
  });

  it('counts for what waits for STS, without a look', async () => {
    agent = await startLocalAgent();
    agent.emulator.setMode('AssumeRole', { delayMs: 500 });
    const asked = call(agent, 'ListTables');
    await expect.poll(() => agent.emulator.log().length, { timeout: 5000 }).toBe(1);
    agent.setRoles([]);
    expect((await asked).json.message).toMatch(/no role allows/);
    expect(dynamoAtAws()).toEqual([]);
  });

  it('that allows as before leaves it alone', async () => {
    const { session, asked } = await hung();
    agent.setRoles([{ ...allowReader, name: 'another' }]);
    session.review(2, {});
    expect(await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 300, 'waits'))])).toBe('waits');
    session.review(3, {});
    agent.setRoles([]);
    session.review(4, {});
    expect((await asked).json.message).toMatch(/no role allows/);
  });
});
