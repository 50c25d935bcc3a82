import type { Examples } from '@postern/terminal/dress-commands';

export const examples: Examples = {
  status: ['tctl status', 'tctl status --format=json | jq -r ".ca_pins[]"'],
  'tokens add': [
    'tctl tokens add --type=db --db-name=example-dynamodb --db-protocol=dynamodb',
    'tctl tokens add --type=app --app-name=aws --app-uri=https://console.aws.amazon.com/console/home',
    'tctl tokens add --type=db --ttl=15m --format=text > token',
  ],
  'tokens ls': ['tctl tokens ls'],
  'tokens rm': ['tctl tokens rm 57bbbb8549bd'],
  create: ['tctl create -f aws-dynamodb-access.yaml', 'cat role.yaml | tctl create -f -'],
  get: ['tctl get roles', 'tctl get role/access,user/alice --format=json', 'tctl get all > cluster.yaml'],
  edit: ['tctl edit role/aws-dynamodb-access'],
  rm: ['tctl rm role/aws-dynamodb-access', 'tctl rm lock/fcdb38b7-2797-417a-ae94-6308936c7fed'],
  lock: [
    'tctl lock --user=alice --message="laptop lost" --ttl=8h',
    'tctl lock --role=aws-dynamodb-access',
    'tctl get locks                # those in force',
    'tctl rm lock/<name>           # lifts one',
  ],
  'users add': [
    'tctl users add alice --roles=access,aws-dynamodb-access',
    'tctl users add alice --roles=access --password-stdin < password',
  ],
  'users update': [
    'tctl users update alice --set-roles=access,auditor',
    'tctl users update alice --set-db-users=ExampleTeleportDynamoDBRole',
    'tctl users update alice --set-aws-role-arns=arn:aws:iam::123456789012:role/ExampleTeleportDynamoDBRole',
  ],
  'users ls': ['tctl users ls'],
  'users reset': ['tctl users reset alice'],
  'users rm': ['tctl users rm alice,bob'],
  'db ls': ['tctl db ls --search=orders'],
  'apps ls': ['tctl apps ls'],
  'access explain': [
    'tctl access explain --user=alice --db=example-dynamodb --db-user=ExampleTeleportDynamoDBRole',
    'tctl access explain --user=alice --app=aws --aws-role=ExampleTeleportDynamoDBRole',
  ],
  'audit ls': [
    'tctl audit ls --user=alice --from=2h',
    'tctl audit ls --kind=db.session.dynamodb.request --resource=db/example-dynamodb --limit=20',
  ],
  'audit tail': ['tctl audit tail --user=alice', 'tctl audit tail --format=json | jq .event'],
  'audit verify': ['tctl audit verify'],
  version: ['tctl version'],
};
