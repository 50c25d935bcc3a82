import type { Examples } from '@postern/terminal/dress-commands';

export const examples: Examples = {
  login: [
    'tsh login --proxy=teleport.example.com --user=alice',
    'tsh login --proxy=teleport.example.com --user=alice --ca-pin=sha256:<hex> < password',
  ],
  logout: ['tsh logout', 'tsh logout --proxy=teleport.example.com --user=alice'],
  status: ['tsh status', 'tsh status --format=json | jq -r .active.username'],
  version: ['tsh version'],
  'db ls': ['tsh db ls', 'tsh db ls env=dev --format=json'],
  'db login': ['tsh db login --db-user=ExampleTeleportDynamoDBRole example-dynamodb'],
  'db logout': ['tsh db logout', 'tsh db logout example-dynamodb'],
  'db connect': ['tsh proxy db --tunnel --db-user=ExampleTeleportDynamoDBRole example-dynamodb'],
  'db config': ['tsh proxy db --tunnel --db-user=ExampleTeleportDynamoDBRole example-dynamodb'],
  'db env': ['tsh proxy db --tunnel --db-user=ExampleTeleportDynamoDBRole example-dynamodb'],
  'proxy db': ['tsh proxy db --tunnel --port 8000 --db-user=ExampleTeleportDynamoDBRole example-dynamodb'],
};
