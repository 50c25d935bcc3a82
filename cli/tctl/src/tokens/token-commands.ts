import { type Command, Option } from 'commander';
import type { AdminOptions } from '#connection/administrator.ts';
import type { AddTokenFlags } from '#tokens/add-token.ts';
import { collectList, type Format, formatOption, parseDuration, parseLabels } from '@postern/terminal/output';

export function addTokenCommands(tctl: Command, options: () => AdminOptions): void {
  const tokens = tctl.command('tokens').alias('token').description('join tokens');
  tokens
    .command('add')
    .description('make a token that agents and proxies join with')
    .requiredOption('--type <types>', 'what may join with it: db, app, proxy', collectList)
    .option('--value <token>', 'use this value instead of a random one')
    .option('--ttl <duration>', 'how long it may be used: 30m, 8h', parseDuration)
    .option('--labels <k=v,...>', 'labels of every resource that such an agent serves; they win over its own', parseLabels)
    .option('--db-name <name>', 'the only database that the agent may announce from its own file')
    .addOption(new Option('--db-protocol <protocol>', 'its protocol').choices(['dynamodb']))
    .option('--db-uri <uri>', 'where the database is')
    .option('--app-name <name>', 'the only application that the agent may announce from its own file')
    .option('--app-uri <uri>', 'where the application is')
    .option('--max-uses <count>', 'how many may join with it', Number)
    .addOption(new Option('-f, --format <format>', 'text prints the token alone').choices(['text', 'json', 'yaml']))
    .action(async (flags: AddTokenFlags) => (await import('#tokens/add-token.ts')).addToken(options(), flags));
  tokens
    .command('ls')
    .description('tokens that can still be used')
    .addOption(formatOption())
    .action(async ({ format }: { format: Format }) => (await import('#tokens/list-tokens.ts')).listTokens(options(), format));
  tokens
    .command('rm')
    .alias('del')
    .description('take a token back, by its value or its id')
    .argument('<token>')
    .action(async (token: string) => (await import('#tokens/remove-token.ts')).removeToken(options(), token));
}
