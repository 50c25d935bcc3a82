import type { Examples } from '@postern/terminal/dress-commands';

const agent = '--token=/etc/teleport/token --proxy=teleport.example.com:443 --name=example-dynamodb --protocol=dynamodb';
const aws = '--aws-region=us-east-1 --aws-account-id=123456789012';

export const examples: Examples = {
  start: ['teleport start -c /etc/teleport.yaml', 'teleport start -c /etc/teleport.yaml --diag-addr=127.0.0.1:3000'],
  configure: ['teleport configure --public-addr=teleport.example.com:443 > /etc/teleport.yaml'],
  'db configure create': [`teleport db configure create ${agent} ${aws} --output=file:///etc/teleport.yaml`],
  'db start': [`teleport db start ${agent} ${aws}`],
  'install systemd': ['teleport install systemd -o /etc/systemd/system/teleport.service'],
  version: ['teleport version'],
};
