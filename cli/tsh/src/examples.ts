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
  'apps ls': ['tsh apps ls', 'tsh apps ls -v', 'tsh apps ls env=dev --format=json'],
  'apps login': [
    'tsh apps login --aws-role ExampleTeleportDynamoDBRole aws',
    'tsh apps login --aws-role arn:aws:iam::123456789000:role/ExampleTeleportDynamoDBRole aws',
  ],
  'apps logout': ['tsh apps logout', 'tsh apps logout aws'],
  'apps config': ['tsh apps config aws', 'tsh apps config aws --format=ca'],
  'apps console': [
    'tsh apps console aws --aws-role ExampleTeleportDynamoDBRole',
    'tsh apps console aws --destination=https://console.aws.amazon.com/dynamodbv2/home --print',
  ],
  aws: ['tsh aws s3 ls', 'tsh aws dynamodb list-tables', 'tsh aws --exec terraform plan'],
  'aws configure': ['tsh aws configure', 'tsh aws configure --aws-role=ExampleTeleportDynamoDBRole --profile=dynamo --region=eu-west-1'],
  up: ['tsh up', 'tsh up --port 23480'],
  down: ['tsh down'],
  'proxy aws': ['tsh proxy aws -p 23456', 'tsh proxy aws --app=aws --aws-role=ExampleTeleportDynamoDBRole --format=unix'],
  'proxy db': ['tsh proxy db --tunnel --port 8000 --db-user=ExampleTeleportDynamoDBRole example-dynamodb'],
};
