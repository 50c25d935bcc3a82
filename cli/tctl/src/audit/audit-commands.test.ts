import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addAuditCommands, filterOf, type Flags } from '#audit/audit-commands.ts';
import { queryOf } from '#audit/query.ts';

/** What is asked of auth for these words on the command line. */
function asked(...words: readonly string[]) {
  let query: object = {};
  const tctl = new Command('tctl').exitOverride().configureOutput({ writeErr: () => undefined });
  addAuditCommands(tctl, () => ({}));
  for (const command of tctl.commands[0]?.commands ?? []) {
    command.exitOverride().configureOutput({ writeErr: () => undefined });
    command.action((flags: Flags) => {
      query = queryOf(filterOf(flags));
    });
  }
  tctl.parse(['audit', ...words], { from: 'user' });
  return query;
}

describe('the filters of tctl audit', () => {
  it('are those of the log, under the names that people try', () => {
    expect(
      asked('ls', '--user=alice', '--kind=user.login', '--resource=db/a', '--session=s-1', '--limit=7', '--from=2026-01-31T08:00:00Z'),
    ).toEqual({
      fromMs: Date.UTC(2026, 0, 31, 8),
      toMs: 0,
      user: 'alice',
      kind: 'user.login',
      resource: 'db/a',
      sessionId: 's-1',
      limit: 7,
      oldestFirst: false,
    });
    expect(asked('ls', '--type=user.login', '--since=2026-01-31')).toMatchObject({ kind: 'user.login', fromMs: Date.UTC(2026, 0, 31) });
    expect(asked('tail', '--type=user.login', '--session=s-1')).toMatchObject({ kind: 'user.login', sessionId: 's-1' });
  });

  it('refuse two words for one thing', () => {
    expect(() => asked('ls', '--type=a', '--kind=b')).toThrow(/cannot be used with/);
    expect(() => asked('ls', '--since=2h', '--from=3h')).toThrow(/cannot be used with/);
  });
});
